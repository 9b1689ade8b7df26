"""Random crop and horizontal flip of an example, with all that moves along: camera, depth and pose."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from sde_seg_jax.data.spec import Size
from sde_seg_jax.geometry import camera
from sde_seg_jax.types import Intrinsics

MAPS = ("image", "neighbors", "label", "depth")  # height axis of all but neighbors [S, H, W, 3] comes first
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0]).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """A window of the image, then perhaps mirrored."""

    top: int
    left: int
    size: Size
    flipped: bool


def check_crop(crop: Size, size: Size, name: str) -> None:
    """Raises a ValueError with the remedy if the crop (h, w) does not fit."""
    if crop[0] > size[0] or crop[1] > size[1]:
        raise ValueError(
            f"crop {tuple(crop)} exceeds image {tuple(size)} in {name!r}; lower data.crop or raise data.size"
        )


def draw(rng: np.random.Generator, size: Size, crop: Size, flip: float) -> Augmentation:
    """Draws a window uniformly and mirrors with probability `flip`."""
    top = int(rng.integers(size[0] - crop[0] + 1))
    left = int(rng.integers(size[1] - crop[1] + 1))
    return Augmentation(top, left, crop, bool(rng.random() < flip))


def apply(example: dict[str, Any], augmentation: Augmentation) -> dict[str, Any]:
    """Returns the example as a camera with a smaller and perhaps mirrored sensor would have seen it.

    c' = c - (left, top); mirrored: c_x' = W - 1 - c_x and T' = M T M with M = diag(-1, 1, 1, 1).
    """
    top, left, (height, width), flipped = dataclasses.astuple(augmentation)
    window = (slice(top, top + height), slice(left, left + width))
    result = dict(example)
    for field in MAPS:
        if field in example:
            index = (slice(None), *window) if field == "neighbors" else window
            result[field] = example[field][index]
    intrinsics = camera.crop(Intrinsics(*example["intrinsics"][:, None]), top, left)
    if flipped:
        intrinsics = camera.flip(intrinsics, width)
        for field in MAPS:
            if field in example:
                axis = 2 if field == "neighbors" else 1
                result[field] = np.flip(result[field], axis)
        if "pose" in example:
            result["pose"] = MIRROR @ example["pose"] @ MIRROR
    values = (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy)
    result["intrinsics"] = np.concatenate(values).astype(np.float32)
    return result
