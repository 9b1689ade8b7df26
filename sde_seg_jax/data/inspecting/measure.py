"""Measuring one sample: its size, classes, motion, camera and depth, and what is implausible about them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from sde_seg_jax.data.fields import STORED_FIELDS
from sde_seg_jax.data.spec import Size
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import Intrinsics

DARK = 5.0  # mean of an image, of 255, below which nothing is to be seen in it (a night street has about 20)
FLAT = 1.0  # standard deviation of an image, of 255, below which it is one color
STILL = 2.5  # mean |neighbor - image|, of 255, below which the camera stood (KITTI: 2 standing in a jam, 15 driving)
ANGLES = (20.0, 150.0)  # plausible field of view in degrees: from a long lens to a fisheye
NARROW = 5.0  # of the shorter side: a dash camera's pictures are often cut to a strip (KITTI at 60 degrees across: 20)
OFF_CENTER = 0.2  # plausible distance of the principal point from the middle, of the side
NOT_SQUARE = 0.05  # plausible deviation of fy / fx from the pixels' known shape


@dataclasses.dataclass(frozen=True)
class Camera:
    """Focal lengths and principal point in pixels of an image of `size`, pixel centres at integers."""

    fx: float
    fy: float
    cx: float
    cy: float
    size: Size

    @functools.cached_property
    def angles(self) -> tuple[float, float]:
        """(horizontal, vertical) field of view in degrees; NaN for a focal length that is not positive."""
        if not min(self.fx, self.fy) > 0:
            return float("nan"), float("nan")
        return tuple(map(float, camera.field_of_view(Intrinsics(self.fx, self.fy, self.cx, self.cy), self.size)))

    def faults(self, pixel_aspect: float | None) -> list[str]:
        """What is implausible; `pixel_aspect`: the known fy / fx, None: any (a stored image may be stretched)."""
        found, (height, width) = [], self.size
        for which, angle, side in zip(("horizontal", "vertical"), self.angles, (width, height), strict=True):
            least = ANGLES[0] if side == max(self.size) else NARROW
            if not least <= angle <= ANGLES[1]:
                found.append(f"{which} field of view {angle:.1f} degrees, plausible are {least:.0f} to {ANGLES[1]:.0f}")
        for which, center, side in (("cx", self.cx, width), ("cy", self.cy, height)):
            off = abs(center - (side - 1) / 2) / side
            if not off <= OFF_CENTER:
                found.append(f"{which} {center:.1f} is {off:.0%} of the side from the middle of {side} pixels")
        if pixel_aspect and self.fx > 0 and not abs(self.fy / self.fx / pixel_aspect - 1) <= NOT_SQUARE:
            found.append(f"fy / fx is {self.fy / self.fx:.2f}, expected {pixel_aspect:.2f}")
        return found


@dataclasses.dataclass(frozen=True)
class Sample:
    """What was measured of one sample; a sample with `problems` may lack the rest."""

    name: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # of reading it, unknown ids for instance
    size: Size | None = None  # of the image
    fields: frozenset[str] = frozenset()  # the optional ones that it has
    pixels: np.ndarray | None = None  # int64 [C + 1]: pixels of each class, then those without ground truth
    motion: float | None = None  # mean |neighbor - image| of 255, of the neighbor that differs less
    camera: Camera | None = None
    depth: tuple[float, float, float] | None = None  # nearest and farthest [m]; share of pixels that have one


def measure(example: dict[str, Any], space: LabelSpace, warnings: Sequence[str] = ()) -> Sample:
    """Measures a checked raw example, or a decoded stored one; `warnings` came with it."""
    image, name = example["image"], example["name"]
    size = image.shape[:2]
    fields = frozenset(f for f in STORED_FIELDS if example.get(f) is not None and len(example[f]))
    frames = example["neighbors"] if "neighbors" in fields else ()
    return Sample(
        name=name,
        problems=tuple(_image_faults(image, _which(example))),
        warnings=tuple(warnings),
        size=tuple(size),
        fields=fields,
        pixels=count_classes(example["label"], space) if "label" in fields else None,
        motion=min((float(cv2.absdiff(image, frame).mean()) for frame in frames), default=None),
        camera=Camera(*(round(float(value), 3) for value in example["intrinsics"]), tuple(size)),
        depth=_depth_range(example["depth"]) if "depth" in fields else None,
    )


def count_classes(label: np.ndarray, space: LabelSpace) -> np.ndarray:
    """Pixels of each class of a label map [h, w] of training ids, then those without ground truth: int64 [C + 1]."""
    counts = np.bincount(np.asarray(label).ravel(), minlength=space.num_classes)[: space.num_classes]
    return np.append(counts, np.size(label) - counts.sum())


def _which(example: dict[str, Any]) -> str:
    path = example.get("files", {}).get("image")
    return f"image '{path}'" if path else f"image of {example['name']!r}"


def _image_faults(image: np.ndarray, which: str) -> list[str]:
    mean, deviation = float(image.mean()), float(image.std(axis=(0, 1)).max())
    if deviation < FLAT:
        return [f"{which} is one color (mean {mean:.0f} of 255); replace the file"]
    if mean < DARK:
        return [f"{which} is almost black (mean {mean:.1f} of 255); replace it or leave it out"]
    return []


def _depth_range(depth: np.ndarray) -> tuple[float, float, float]:
    known = depth[np.isfinite(depth) & (depth > 0)]
    return (float(known.min()), float(known.max()), known.size / depth.size) if known.size else (np.inf, 0.0, 0.0)
