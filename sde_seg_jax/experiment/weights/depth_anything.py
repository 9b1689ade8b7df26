"""A depth network straight from a file of Depth Anything V2: its sizes are read off the weights."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from sde_seg_jax.experiment.build import Trained, abstract_variables, build_network
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.weights import sources, transfer
from sde_seg_jax.models.dpt_names import DECODER, ENCODER, sizes_of
from sde_seg_jax.models.vit import ENCODERS, GRID
from sde_seg_jax.models.vit_names import blocks_of, grid_of, name_of
from sde_seg_jax.models.weight_files import WeightsError, holds_weights, kind_of
from sde_seg_jax.text_files import read_json

CONFIG = "depth_anything"
DEFAULT_FILE, FACTS = "model.safetensors", "config.json"  # of a repository of the hub
PLAIN = ("model", "pytorch_model")  # names of files that say nothing


def is_weights(checkpoint: str) -> bool:
    """Does --checkpoint name a file or folder of published weights, and no run of ours?"""
    path = pathlib.Path(checkpoint).expanduser()
    return (
        checkpoint.startswith(sources.HUB)
        or bool(kind_of(path))
        or (holds_weights(path) and not sources.is_workdir(path))
    )


def name_for(checkpoint: str) -> str:
    """What the cache of such weights is called: "Depth-Anything-V2-Small-hf", by file, folder or repository."""
    path = pathlib.PurePosixPath(checkpoint.removeprefix(sources.HUB))
    stem = path.name.removesuffix(kind_of(path)) if kind_of(path) else path.name
    return path.parent.name if stem in PLAIN and path.parent.name else stem


def read_depth_anything(checkpoint: str, flag: str = "--checkpoint") -> Trained:
    """The network and its variables; a config.json beside the weights says which blocks the decoder reads.

    Raises WeightsError for other weights, naming the command that converts them, and for a metric model.
    """
    if checkpoint.startswith(sources.HUB) and len(checkpoint.removeprefix(sources.HUB).strip("/").split("/")) == 2:
        checkpoint = f"{checkpoint.rstrip('/')}/{DEFAULT_FILE}"
    opened = sources.open_source(checkpoint, flag)
    if isinstance(opened, sources.Workdir):  # `is_weights` is false for it
        raise WeightsError(f"{flag}={checkpoint} is a checkpoint, no file of weights")
    if checkpoint.startswith(sources.HUB):
        sources.fetch_beside(checkpoint, FACTS, flag)
    facts = _facts(opened.path)
    if facts.get("depth_estimation_type") == "metric" or "metric" in name_for(checkpoint).lower():
        raise WeightsError(
            f"{opened.path} is a metric model, which gives metres; take a relative one, or write its maps with another "
            "program and give --from_files=DIR --kind=depth"
        )
    config = load_config(CONFIG)
    try:
        model = _model_of(opened.weights.state, facts)
    except KeyError as error:
        raise WeightsError(
            f"{opened.path} holds no depth network of Depth Anything V2 (it lacks {error}); convert other weights with "
            f"cli.convert, and give its --workdir as {flag}"
        ) from None
    with config.unlocked():
        config.model.update(model)
    network = build_network(config)
    like = abstract_variables(network, config.data.crop)
    variables, _ = transfer.transfer(like, tuple(like.params), lambda _: opened)
    return Trained(network, variables, config, 0)


def _facts(path: pathlib.Path) -> Mapping[str, Any]:
    """What transformers notes beside weights; nothing if it does not."""
    file = (path if path.is_dir() else path.parent) / FACTS
    if not file.is_file():
        return {}
    try:
        found = read_json(file)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read ({error}); get it again, or remove it") from error
    return found if isinstance(found, Mapping) else {}


def _model_of(state: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The section model. Raises KeyError for what a state lacks."""
    vit = {k.removeprefix(ENCODER): v for k, v in state.items() if k.startswith(ENCODER)}
    dpt = {k.removeprefix(DECODER): v for k, v in state.items() if k.startswith(DECODER)}
    encoder = name_of(vit)
    if encoder not in ENCODERS or "pos_embed" not in vit:
        raise KeyError("cls_token of a DINOv2")
    own = {"grid": grid_of(vit), "blocks": blocks_of(vit)}
    published = {"grid": GRID, "blocks": ENCODERS[encoder].blocks}
    stages = (facts.get("backbone_config") or {}).get("out_indices")  # counted from 1: 0 is before the first block
    if isinstance(stages, list) and all(isinstance(stage, int) for stage in stages):
        own["layers"], published["layers"] = [stage - 1 for stage in stages], list(ENCODERS[encoder].layers)
    return {
        "encoder": encoder,
        "encoder_options": {k: v for k, v in own.items() if v != published[k]},
        "decoder_options": {**sizes_of(dpt), "output": "relative"},
    }
