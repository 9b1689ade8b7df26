"""Does a written file say what the network says? Both see the same images, and the differences are counted."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import jax
import numpy as np
from jaxtyping import UInt8

from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.graph import Graph, computing_in, depth_limits, without_pose
from sde_seg_jax.experiment.prediction.predictor import maps_predictor
from sde_seg_jax.experiment.prediction.request import parts_of
from sde_seg_jax.geometry.depth import disparity_to_depth

Image = UInt8[np.ndarray, "H W 3"]
Images = UInt8[np.ndarray, "N H W 3"]
Outputs = Mapping[str, np.ndarray]
CALLS = 5  # that are timed


@dataclasses.dataclass(frozen=True)
class Bound:
    """How far a file may be from the network in float32.

    Attributes:
      difference: the largest of any probability, and of any disparity, both in [0,1].
      equal: the least share of pixels with the same class.
    """

    difference: float
    equal: float


BOUNDS = {
    "float32": Bound(1e-3, 0.999),  # only the order of sums differs: 1e-6 to 1e-5 is usual
    "float16": Bound(0.05, 0.99),  # 11 bits
    "bfloat16": Bound(0.3, 0.95),  # 8 bits
    "int8": Bound(1.0, 0.90),  # near the border of two classes a probability may turn over
}


def reference(trained: Trained, graph: Graph, images: Sequence[Image]) -> dict[str, np.ndarray]:
    """What the network itself says of the images, resized by OpenCV, in float32."""
    network, variables = without_pose(trained)
    run = maps_predictor(computing_in(network, "float32"), parts_of(network))
    height, width = graph.size
    found = []
    for image in images:
        seen = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        maps = jax.device_get(run(variables, seen[None]))
        if "probabilities" in maps:
            maps["classes"] = maps["probabilities"].argmax(axis=-1).astype(np.uint8)
        if "depth" in graph.outputs:
            maps["depth"] = np.asarray(disparity_to_depth(maps["disparity"], *depth_limits(trained.config)))
        found.append({name: maps[name][0] for name in maps})
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def in_calls(run: Callable[[Images], Outputs], images: Sequence[Image], batch: int | None) -> dict[str, np.ndarray]:
    """A file's outputs for some images, in calls of as many as it takes, or of two where any number may come.

    Images of different sizes go alone; where a fixed number must come, an image is repeated.
    """
    found = []
    size = batch or 2
    for start in range(0, len(images), size):
        group = images[start : start + size]
        alike = len({image.shape for image in group}) == 1
        for part in [group] if alike else [[image] for image in group]:
            missing = size - len(part) if batch else 0
            outputs = run(np.stack([*part, *part[-1:] * missing]))
            found.append({name: np.asarray(values)[: len(part)] for name, values in outputs.items()})
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def compare(found: Outputs, expected: Outputs) -> dict[str, float]:
    """The largest difference of each output, and the share of pixels with the same class.

    Of depth the relative one: |d - d'| / d'. Raises UsageError for outputs that are missing, have another shape or are
    not finite.
    """
    facts: dict[str, float] = {}
    for name, values in found.items():
        if values.shape != expected[name].shape or not np.isfinite(values).all():
            raise UsageError(
                f"the written file gives {name} of shape {list(values.shape)} instead of "
                f"{list(expected[name].shape)}, or values that are not finite; it was not kept"
            )
        if name == "classes":
            facts["classes_equal"] = float(np.mean(values == expected[name]))
            continue
        difference = np.abs(values.astype(np.float64) - expected[name])
        if name == "depth":
            difference = difference / expected[name]
        facts[f"{name}_difference"] = float(difference.max())
    return facts


def milliseconds(run: Callable[[Images], Outputs], image: Image, batch: int | None) -> float:
    """How long a call takes here, once it has been warmed up: the median of some. [ms]"""
    images = np.stack([image] * (batch or 1))
    taken = []
    for _ in range(1 + CALLS):
        start = time.perf_counter()
        run(images)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken[1:])


def require(facts: Mapping[str, float], bound: Bound) -> None:
    """Raises UsageError, naming the worst, if a file is farther from the network than the bound."""
    for name in ("probabilities_difference", "disparity_difference"):
        if facts.get(name, 0) > bound.difference:
            raise _too_far(f"{name.replace('_', ' ')} {facts[name]:.3g} > {bound.difference:g}")
    if facts.get("classes_equal", 1) < bound.equal:
        raise _too_far(f"share of equal classes {facts['classes_equal']:.4f} < {bound.equal:g}")


def _too_far(what: str) -> UsageError:
    return UsageError(
        f"the written file does not say what the network says: {what}; it was not kept. Another --dtype, or more "
        "images for --calibration, may help"
    )


def sentence(facts: Mapping[str, Any]) -> str:
    """The comparison for people."""
    parts = []
    for name, value in facts.items():
        if name == "classes_equal":
            parts.append(f"{100 * value:.3f} % of the class ids equal")
        else:
            parts.append(f"largest difference of {name.removesuffix('_difference')} {value:.2g}")
    return ", ".join(parts)
