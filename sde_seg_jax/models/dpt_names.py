"""Names of DPT decoders in files of PyTorch: Depth Anything's, and transformers' and UniMatch V2's translated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

ENCODER, DECODER = "models.encoder.encoder.", "models.depth.decoder."  # how names begin in the joint model
MAPS = 4
# the coarsest level has nothing to add its map to
IGNORED = r"scratch\.refinenet4\.resConfUnit1\."
IGNORED_HEADS = rf"{IGNORED}|scratch\.output_conv"
ANCHORS = ("neck.reassemble_stage.layers.0.projection.weight", "depth_head.projects.0.weight")
# transformers' names -> Depth Anything's
TRANSFORMERS = (
    (r"neck\.reassemble_stage\.layers\.(\d)\.projection\.", r"projects.\1."),
    (r"neck\.reassemble_stage\.layers\.(\d)\.resize\.", r"resize_layers.\1."),
    (r"neck\.convs\.(\d)\.", lambda found: f"scratch.layer{int(found[1]) + 1}_rn."),
    (
        r"neck\.fusion_stage\.layers\.(\d)\.projection\.",
        lambda found: f"scratch.refinenet{4 - int(found[1])}.out_conv.",
    ),
    (
        r"neck\.fusion_stage\.layers\.(\d)\.residual_layer(\d)\.convolution(\d)\.",
        lambda found: f"scratch.refinenet{4 - int(found[1])}.resConfUnit{found[2]}.conv{found[3]}.",
    ),
    (r"head\.conv1\.", "scratch.output_conv1."),
    (r"head\.conv2\.", "scratch.output_conv2.0."),
    (r"head\.conv3\.", "scratch.output_conv2.2."),
)
# UniMatch V2's names of a whole segmentation network -> those of the joint model
UNIMATCH = (
    ("backbone.", ENCODER),
    ("head.scratch.output_conv.", "models.segmentation.output_conv."),
    ("head.", "models.segmentation.unet_dec.decoder."),
)
UNIMATCH_ANCHOR = r"((?:.*\.)?)head\.projects\.0\.weight"
UNITS = {"first": "resConfUnit1", "second": "resConfUnit2", "project": "out_conv"}
HEAD = {"conv1": "output_conv1", "conv2": "output_conv2.0", "conv3": "output_conv2.2"}


def torch_module(path: tuple[str, ...]) -> str:
    """("fusion_3", "second", "conv1") -> "scratch.refinenet4.resConfUnit2.conv1"."""
    part, *inside = path
    if part == "disparity":
        return f"scratch.{HEAD[inside[0]]}"
    kind, number = part.split("_")
    if kind == "fusion":
        return ".".join([f"scratch.refinenet{int(number) + 1}", UNITS[inside[0]], *inside[1:]])
    return {
        "project": f"projects.{number}",
        "resize": f"resize_layers.{number}",
        "conv": f"scratch.layer{int(number) + 1}_rn",
    }[inside[0]]


def translate(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A file's arrays with those of Depth Anything or UniMatch V2 under the joint model's names; others as they are."""
    unimatch = next((found[1] for name in content if (found := re.fullmatch(UNIMATCH_ANCHOR, name))), None)
    if unimatch is not None:
        return {_renamed(name, unimatch, UNIMATCH): value for name, value in content.items()}
    anchor = next(((name, a) for name in content for a in ANCHORS if name.endswith(a)), None)
    if anchor is None:
        return content
    start = anchor[0].removesuffix(anchor[1])
    return {_joint(name, start): value for name, value in content.items()}


def sizes_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `decoders.dpt` that weights under Depth Anything's names are for. Raises KeyError if one lacks."""
    count = lambda name: state[f"{name}.weight"].shape[0]  # noqa: E731
    reassembled = tuple(count(f"projects.{index}") for index in range(MAPS))
    found = {"features": count("scratch.layer1_rn"), "reassembled": reassembled}
    return found | ({"hidden": count("scratch.output_conv2.0")} if "scratch.output_conv2.0.weight" in state else {})


def misfit(state: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """What to set where weights are of other sizes than our parameters; "" if they are not, or are none of a DPT."""
    try:
        theirs = sizes_of(state)
    except KeyError:
        return ""
    ours = {
        "features": params["reassemble_0"]["conv"]["kernel"].shape[-1],
        "reassembled": tuple(params[f"reassemble_{i}"]["project"]["kernel"].shape[-1] for i in range(MAPS)),
    }
    if "disparity" in params:
        ours["hidden"] = params["disparity"]["conv2"]["kernel"].shape[-1]
    wrong = [f"{key}={theirs[key]}" for key, value in ours.items() if key in theirs and theirs[key] != value]
    return f"For these weights set model.decoder_options.{', '.join(wrong)}" if wrong else ""


def _joint(name: str, start: str) -> str:
    if not name.startswith(start):
        return name
    inside = name.removeprefix(start)
    for pattern, new in TRANSFORMERS:
        if re.match(pattern, inside):
            return DECODER + re.sub(pattern, new, inside, count=1)
    return _renamed(name, start, (("pretrained.", ENCODER), ("depth_head.", DECODER)))


def _renamed(name: str, start: str, names: Sequence[tuple[str, str]]) -> str:
    """With ours for the first of (theirs, ours) that comes behind `start`."""
    inside = name.removeprefix(start)
    for theirs, ours in names if name.startswith(start) else ():
        if inside.startswith(theirs):
            return ours + inside.removeprefix(theirs)
    return name
