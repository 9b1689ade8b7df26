"""Images that are made larger or smaller before a crop is cut: by how much, and the crop of the resized image.

As in the published code of UniMatch V2 (Yang et al. 2024): the longer side is drawn uniformly, images are resized as
Pillow's BILINEAR does (a triangle, widened when shrinking), labels take the nearest pixel, and what a crop shows beyond
the image is added on the right and at the bottom.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from sde_seg_jax.data.fields import FIELDS, MAPS, Field
from sde_seg_jax.data.spec import Size
from sde_seg_jax.data.window import Window
from sde_seg_jax.geometry import camera
from sde_seg_jax.types import Intrinsics

STORED = (1.0, 1.0)  # images as they are stored, and nothing is drawn


def check_scale(scale: Sequence[float]) -> None:
    """Raises a ValueError unless it is (least, most)."""
    if len(scale) != 2 or not 0 < scale[0] <= scale[1]:
        raise ValueError(
            f"data.scale={tuple(scale)}: expected (least, most) with 0 < least <= most, as (0.5, 2.0); (1.0, 1.0): off"
        )


def draw_size(rng: np.random.Generator, size: Size, scale: Sequence[float]) -> Size:
    """(h, w) of an image of `size` whose longer side becomes least to most times as long, uniformly in whole pixels."""
    least, most = _longer_sides(size, scale)
    return _scaled(size, int(rng.integers(least, most, endpoint=True)))


def may_pad(size: Size, crop: Size, scale: Sequence[float]) -> bool:
    """Whether an image of `size` can become smaller than the crop, which then shows what is no image."""
    smallest = _scaled(size, _longer_sides(size, scale)[0])
    return tuple(scale) != STORED and (smallest[0] < crop[0] or smallest[1] < crop[1])


def least_without_padding(size: Size, crop: Size) -> float:
    """The smallest scale, in hundredths, from which on images of `size` fill a crop."""
    hundredths = math.ceil(100 * max(crop[0] / size[0], crop[1] / size[1]))
    while may_pad(size, crop, (hundredths / 100, hundredths / 100)):
        hundredths += 1
    return hundredths / 100


@dataclasses.dataclass(frozen=True)
class _Axis:
    """Rows or columns of a window: [px] of the stored and of the resized image, the window's start and length."""

    stored: int
    scaled: int
    first: int
    length: int

    @property
    def shown(self) -> int:
        """Pixels of the window that the image fills."""
        return min(self.length, self.scaled - self.first)

    @property
    def read(self) -> slice:
        """Stored pixels of which they are made, as far as the filter reaches."""
        start, stop = (place * self.stored / self.scaled for place in (self.first, self.first + self.shown))
        reach = max(self.stored / self.scaled, 1.0)
        return slice(max(0, math.floor(start - reach)), min(self.stored, math.ceil(stop + reach)))

    @property
    def ends(self) -> tuple[float, float]:
        """What they show, from edge to edge, in the pixels that are read."""
        start, stop = (place * self.stored / self.scaled for place in (self.first, self.first + self.shown))
        return start - self.read.start, stop - self.read.start

    @property
    def nearest(self) -> np.ndarray:
        """For each the nearest of the pixels that are read: pixel i has floor((i + 0.5) stored / scaled)."""
        places = self.first + np.arange(self.shown)
        return (2 * places + 1) * self.stored // (2 * self.scaled) - self.read.start


@dataclasses.dataclass(frozen=True)
class Resized:
    """A window of an image of the size `stored` that is resized to `scaled` [px].

    top, left: of the window in the resized image; crop: (h, w) of the window, which may reach over its lower and right
    edge.
    """

    stored: Size
    scaled: Size
    top: int
    left: int
    crop: Size

    @property
    def window(self) -> Window:
        """Rows and columns of the stored image that the window is made of."""
        rows, columns = self._axes
        return rows.read, columns.read

    def of(self, example: dict[str, Any]) -> dict[str, Any]:
        """The example, whose maps are cut to `window`, resized, with the camera of the whole resized image.

        The new field `valid` tells where the image is. Elsewhere labels are ignored, and all else is 0. Depth stays in
        metres and disparity what it was: only the camera sees larger or smaller.
        """
        result = {name: self._map(example[name], FIELDS[name]) for name in MAPS if name in example}
        result["valid"] = self._placed(np.ones([axis.shown for axis in self._axes], bool), FIELDS["valid"])
        seen = camera.resize(Intrinsics(*example["intrinsics"]), self.stored, self.scaled)
        result["intrinsics"] = np.array([seen.fx, seen.fy, seen.cx, seen.cy], np.float32)
        return {**example, **result}

    @property
    def _axes(self) -> list[_Axis]:
        return list(map(_Axis, self.stored, self.scaled, (self.top, self.left), self.crop))

    def _map(self, values: np.ndarray, field: Field) -> np.ndarray:
        if field.frames:
            return np.stack([self._resized(one, field) for one in values])
        return self._resized(values, field)

    def _resized(self, values: np.ndarray, field: Field) -> np.ndarray:
        rows, columns = self._axes
        if not field.between:
            return self._placed(values[rows.nearest[:, None], columns.nearest], field)
        (top, bottom), (left, right) = rows.ends, columns.ends
        image, size = Image.fromarray(np.ascontiguousarray(values)), (columns.shown, rows.shown)
        found = image.resize(size, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        return self._placed(np.asarray(found), field)

    def _placed(self, values: np.ndarray, field: Field) -> np.ndarray:
        """What the image fills in a window of full size."""
        if values.shape[:2] == tuple(self.crop):
            return values
        result = np.full((*self.crop, *values.shape[2:]), field.outside, values.dtype)
        result[: values.shape[0], : values.shape[1]] = values
        return result


def _longer_sides(size: Size, scale: Sequence[float]) -> tuple[int, int]:
    least, most = (max(1, int(max(size) * factor)) for factor in scale)
    return least, most


def _scaled(size: Size, longer: int) -> Size:
    """The size with its longer side so long and its proportions, rounded."""
    height, width = (max(1, int(length * longer / max(size) + 0.5)) for length in size)
    return height, width
