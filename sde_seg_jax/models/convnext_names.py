"""Names of ConvNeXts in files of PyTorch: facebookresearch's as they are, timm's and transformers' translated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sde_seg_jax.models.torch_names import EncoderNames

ENCODER = "models.encoder.encoder."  # how an encoder's names begin in the joint model
ANCHORS = (r"(.*?)embeddings\.patch_embeddings\.weight", r"(.*?)stem\.0\.weight")  # transformers', timm's
OTHERS = (
    # transformers' names -> facebookresearch's
    (r"embeddings\.patch_embeddings\.", "downsample_layers.0.0."),
    (r"embeddings\.layernorm\.", "downsample_layers.0.1."),
    (r"encoder\.stages\.(\d)\.downsampling_layer\.(\d)\.", r"downsample_layers.\1.\2."),
    (r"encoder\.stages\.(\d)\.layers\.(\d+)\.layer_scale_parameter$", r"stages.\1.\2.gamma"),
    (r"encoder\.stages\.(\d)\.layers\.(\d+)\.layernorm\.", r"stages.\1.\2.norm."),
    (r"encoder\.stages\.(\d)\.layers\.(\d+)\.", r"stages.\1.\2."),
    (r"layernorm\.", "norm."),
    (r"classifier\.", "head."),
    # timm's
    (r"stem\.(\d)\.", r"downsample_layers.0.\1."),
    (r"stages\.(\d)\.downsample\.(\d)\.", r"downsample_layers.\1.\2."),
    (r"stages\.(\d)\.blocks\.(\d+)\.conv_dw\.", r"stages.\1.\2.dwconv."),
    (r"stages\.(\d)\.blocks\.(\d+)\.mlp\.fc(\d)\.", r"stages.\1.\2.pwconv\3."),
    (r"stages\.(\d)\.blocks\.(\d+)\.", r"stages.\1.\2."),
    (r"head\.norm\.", "norm."),
    (r"head\.fc\.", "head."),
)


def torch_module(path: tuple[str, ...]) -> str:
    """("block_2_5", "dwconv") -> "stages.2.5.dwconv"."""
    part, *inside = path
    if part.startswith("stem_"):
        return f"downsample_layers.0.{ {'conv': 0, 'norm': 1}[part.removeprefix('stem_')] }"
    _, *numbers = part.split("_")
    if part.startswith("down_"):
        return f"downsample_layers.{numbers[0]}.{ {'norm': 0, 'conv': 1}[numbers[1]] }"
    return ".".join(["stages", *numbers, *inside])


def translate(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A file's arrays with those of a ConvNeXt under facebookresearch's names; all others as they are."""
    if not any(".dwconv." in name or ".conv_dw." in name for name in content):
        return content
    found = (re.fullmatch(anchor, name) for name in content for anchor in ANCHORS)
    start = next((match[1] for match in found if match), None)
    if start is None:
        return content
    return {_joint(name, start): value for name, value in content.items()}


def _joint(name: str, start: str) -> str:
    for pattern, new in OTHERS:
        inside = name.removeprefix(start)
        if re.match(pattern, inside):
            return ENCODER + re.sub(pattern, new, inside, count=1)
    return name  # the classifier of transformers has no such start


def misfit(state: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """What to change where a state is of another ConvNeXt than the parameters; "" if that cannot be told."""
    first = state.get("downsample_layers.0.0.weight")
    if first is None:
        return ""
    blocks = [0] * 4
    for name in state:
        if match := re.match(r"stages\.([0-3])\.(\d+)\.gamma$", name):
            blocks[int(match[1])] += 1
    ours = [sum(name.startswith(f"block_{stage}_") for name in params) for stage in range(4)]
    channels, own = first.shape[0], params["stem_conv"]["kernel"].shape[-1]
    if channels != own or blocks != ours:
        what = f"{channels} channels at first and {tuple(blocks)} blocks, the encoder {own} and {tuple(ours)}"
        return f"The weights have {what}: set model.encoder to the ConvNeXt of that size (model.width=64)"
    return ""


# as facebookresearch names them; the last norm and the classifier have no counterpart
NAMES = EncoderNames(
    torch_module,
    first="stem_conv",
    starts=r"downsample_layers\.\d|stages\.\d|(?:norm|head)\.(?:weight|bias)",
    ignore=r"(norm|head)\.(weight|bias)$",
    translate=translate,
    misfit=misfit,
)
