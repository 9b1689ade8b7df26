"""Prepared data with a pretended camera: for videos whose own is unknown, and to test that it can be learnt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.reading.augment import Window
from sde_seg_jax.data.reading.stream import Source
from sde_seg_jax.data.spec import Size


class NominalCamera:
    """A `stream.Source` whose samples all have the same nominal intrinsics instead of the stored ones.

    The image is `field_of_view` degrees across and centred. The proportions of a pixel stay those that are stored:
    they follow from how the image was resized. Raises ValueError for an angle outside of 0..180.
    """

    def __init__(self, source: Source, field_of_view: float):
        if not 0 < field_of_view < 180:
            raise ValueError(
                f"data.field_of_view={field_of_view}: give degrees between 0 and 180, or 0 for the stored one"
            )
        self._source, self._field_of_view = source, field_of_view

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int, fields: Sequence[str] | None = None, window: Window | None = None) -> dict[str, Any]:
        """Sample `index` of the source, with the nominal camera."""
        example = self._source.read(index, fields, window)
        return {**example, "intrinsics": nominal(example["intrinsics"], self.size, self._field_of_view)}


def nominal(stored: np.ndarray, size: Size, field_of_view: float) -> np.ndarray:
    """(fx, fy, cx, cy) of an image of `size` that is `field_of_view` degrees across, pixels shaped as `stored`."""
    height, width = size
    focal = width / 2 / math.tan(math.radians(field_of_view) / 2)
    found = (focal, focal * stored[1] / stored[0], (width - 1) / 2, (height - 1) / 2)
    return np.array(found, np.float32)
