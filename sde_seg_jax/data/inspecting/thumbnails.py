"""Small pictures of samples, for contact sheets: what a person wants to see of them, no more."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np

from sde_seg_jax.data.spec import Size

BOX = (240, 360)  # height, width in pixels that a picture fits into


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """One sample, not larger than `BOX`, as far as it has the fields."""

    name: str
    image: np.ndarray  # uint8 [h, w, 3]
    label: np.ndarray | None = None  # uint8 [h, w]
    difference: np.ndarray | None = None  # float32 [h, w]: mean |frame +1 - frame -1| over the colors, of 255
    depth: np.ndarray | None = None  # float32 [h, w] metres, 0 = none


def shrink(example: dict[str, Any], box: Size = BOX) -> Thumbnail:
    """The thumbnail of a raw or a stored example, in its proportions."""
    image, frames = example["image"], example.get("neighbors", ())
    factor = min(1, *(limit / side for limit, side in zip(box, image.shape, strict=False)))
    size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])  # OpenCV's order: width, height
    label, difference = example.get("label"), None
    if len(frames):
        before, after = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames)
        difference = cv2.absdiff(before, after).mean(-1, dtype=np.float32)
    return Thumbnail(
        name=str(example["name"]),
        image=cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        label=None if label is None else cv2.resize(np.uint8(label), size, interpolation=cv2.INTER_NEAREST),
        difference=difference,
        depth=_nearest_known(example.get("depth"), size),
    )


def _nearest_known(depth: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | None:
    """Metres [h, w]; of the pixels that fall together the nearest known one, so that sparse depth stays visible."""
    if depth is None:
        return None
    known = np.where(np.isfinite(depth) & (depth > 0), depth, np.inf).astype(np.float32)
    factor = max(1, depth.shape[1] // size[0])
    smallest = cv2.erode(known, np.ones((factor, factor), np.uint8))
    small = cv2.resize(smallest, size, interpolation=cv2.INTER_NEAREST)
    return np.where(np.isfinite(small), small, 0).astype(np.float32)
