"""What an exported file says of itself: classes, colours, sizes, where its weights are from, versions, the check.

ONNX carries it inside; the other formats have it in a JSON file beside them, a SavedModel in its `assets.extra`.
"""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
from typing import Any

import sde_seg_jax
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError, as_json
from sde_seg_jax.experiment.export.graph import Graph, depth_limits
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.experiment.table.runs import commit, commits_of
from sde_seg_jax.experiment.weights.card import public_name
from sde_seg_jax.state_files.reading import read_json
from sde_seg_jax.state_files.schemas import EXPORT

KEY = "sde_seg_jax"  # of the record among an ONNX file's metadata
UNKNOWN_LICENSE = "not told: see where the weights are from; --license=TEXT writes it here"
MEANING = {
    "classes": "uint8 [B,h,w], class ids: places in `classes`",
    "probabilities": "float32 [B,h,w,C] in [0,1], sum 1",
    "disparity": "float32 [B,h,w] in (0,1), near is large",
    "depth": "float32 [B,h,w] in `depth_range`, up to one unknown scale if learnt from video alone",
}


def describe(
    trained: Trained, graph: Graph, *, file_format: str, checkpoint: str, weights: str, license_text: str = ""
) -> dict[str, Any]:
    """The record, as JSON types. No path of the machine stands in it but the names of the checkpoint's last folder."""
    config = trained.config
    space = space_of(config) if trained.network.segmentation is not None else None
    return {
        "format": file_format,
        "dtype": graph.dtype,
        "input": "uint8 [B,H,W,3], RGB, 0 to 255",
        "batch": graph.batch,
        "input_size": graph.input_size and list(graph.input_size),
        "size": list(graph.size),
        "outputs": {name: MEANING[name] for name in graph.outputs},
        "classes": list(space.classes) if space else [],
        "colors": [list(map(int, color)) for color in space.colors] if space else [],
        "label_space": space.name if space else "",
        "depth_range": list(depth_limits(config)),
        "checkpoint": pathlib.Path(checkpoint).expanduser().resolve().name,
        "step": trained.step,
        "weights": weights,
        "task": config.task.name,
        "encoder": config.model.encoder,
        "data": config.data.dataset,
        "started_from": _started_from(as_json(config)),
        "license": license_text or UNKNOWN_LICENSE,
        "commit": ", ".join(commits_of(pathlib.Path(checkpoint).expanduser())) or commit(),
        "versions": _versions(),
    }


def _started_from(config: dict[str, Any]) -> dict[str, str]:
    """Where the starting weights were from, by the rules that name a source."""
    model, found = config["model"], {}
    if model.get("init"):
        found["model.init"] = public_name(model["init"])
    for rule in model.get("transfer", ()):
        _, _, source = rule.partition(" from ")
        if source:
            found[source] = public_name(config.get("sources", {}).get(source, source))
    return found


def _versions() -> dict[str, str]:
    found = {"sde_seg_jax": sde_seg_jax.__version__}
    return found | {name: importlib.metadata.version(name) for name in ("jax", "flax", "numpy")}


def record_path(path: pathlib.Path) -> pathlib.Path:
    """Where the record of a file, or of a SavedModel's folder, lies."""
    return path / "assets.extra" / "export.json" if path.is_dir() else path.with_name(f"{path.name}.json")


def read_record(path: pathlib.Path) -> dict[str, Any]:
    """The record of an exported file. Raises UsageError if it is missing, DamagedFile if it is no such record."""
    place = record_path(path)
    if not place.is_file():
        raise UsageError(f"{path}: {place.name} is missing, which tells classes and sizes; copy it from where it was")
    return read_json(place, EXPORT, "export again")


def as_text(record: dict[str, Any]) -> str:
    """The record for formats that carry texts."""
    return json.dumps(record)
