"""Random scale, crop and mirroring of an example, with all that moves along: camera, depth, disparity and pose."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from sde_seg_jax.data.fields import FIELDS, MAPS, Field
from sde_seg_jax.data.reading.scaling import STORED, Resized, draw_size
from sde_seg_jax.data.spec import Size
from sde_seg_jax.data.window import Window
from sde_seg_jax.geometry import camera
from sde_seg_jax.types import Intrinsics


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """A window of the image, then perhaps mirrored.

    sizes: (h, w) of the stored image and of what it is resized to before; None: it is not.
    """

    top: int
    left: int
    size: Size
    flipped: bool
    sizes: tuple[Size, Size] | None = None

    @property
    def resized(self) -> Resized | None:
        """The window of the resized image; None if it is not resized."""
        return None if self.sizes is None else Resized(*self.sizes, self.top, self.left, self.size)

    @property
    def window(self) -> Window:
        """Rows and columns of the stored image that are wanted."""
        if (resized := self.resized) is not None:
            return resized.window
        return slice(self.top, self.top + self.size[0]), slice(self.left, self.left + self.size[1])


def check_crop(crop: Size, size: Size, name: str) -> None:
    """Raises a ValueError with the remedy if the crop (h, w) does not fit."""
    if crop[0] > size[0] or crop[1] > size[1]:
        raise ValueError(
            f"crop {tuple(crop)} exceeds image {tuple(size)} in {name!r}; lower data.crop or raise data.size"
        )


def draw(
    rng: np.random.Generator, size: Size, crop: Size, flip: float, scale: Sequence[float] = STORED
) -> Augmentation:
    """Draws a size (`scaling.draw_size`) and a window of it uniformly, and mirrors with probability `flip`."""
    sizes = None if tuple(scale) == STORED else (tuple(size), draw_size(rng, size, scale))
    height, width = size if sizes is None else sizes[1]
    top = int(rng.integers(max(0, height - crop[0]) + 1))
    left = int(rng.integers(max(0, width - crop[1]) + 1))
    return Augmentation(top, left, crop, bool(rng.random() < flip), sizes)


def cut_maps(example: dict[str, Any], window: Window | None) -> dict[str, Any]:
    """Returns the example with a view of the window of every map. The camera stays."""
    if window is None:
        return dict(example)
    places = {field: (*(slice(None),) * FIELDS[field].several, *window) for field in MAPS if field in example}
    return {**example, **{field: example[field][place] for field, place in places.items()}}


def apply(example: dict[str, Any], augmentation: Augmentation) -> dict[str, Any]:
    """Returns the example as a camera with a smaller and perhaps mirrored sensor would have seen it.

    See `adjust` for the equations.
    """
    return adjust(cut_maps(example, augmentation.window), augmentation)


def adjust(example: dict[str, Any], augmentation: Augmentation) -> dict[str, Any]:
    """Completes the augmentation of an example whose maps are cut to the window already: size, camera and mirror.

    f' = s f, c' = s (c + 0.5) - 0.5 where it is resized by s; c' = c - (left, top); mirrored: c_x' = W - 1 - c_x and
    T' = M T M with M = diag(-1, 1, 1, 1).
    """
    result = example = dict(example) if augmentation.sizes is None else augmentation.resized.of(example)
    intrinsics = camera.crop(Intrinsics(*example["intrinsics"][:, None]), augmentation.top, augmentation.left)
    if augmentation.flipped:
        intrinsics = camera.flip(intrinsics, augmentation.size[1])
        result |= {name: _mirrored(example[name], field) for name, field in FIELDS.items() if name in example}
    values = (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy)
    result["intrinsics"] = np.concatenate(values).astype(np.float32)
    return result


def _mirrored(values: Any, field: Field) -> Any:
    if not field.is_map:
        return values if field.mirror is None else field.mirror(values)
    return np.stack([_flip(one) for one in values]) if field.frames else _flip(values)


def _flip(values: np.ndarray) -> np.ndarray:
    return cv2.flip(values, 1)  # a copy; copying np.flip's view takes 40 times as long
