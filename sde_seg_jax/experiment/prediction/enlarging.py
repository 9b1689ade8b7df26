"""From maps at the size that a network sees to the image's own size, class by class: never all classes at once.

Probabilities are interpolated, then compared: a class border runs between pixels of the network, not along them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Size = tuple[int, int]
LEAST = 1e-12  # p log p is 0 at 0


def planes(values: Float[np.ndarray, "h w C"], size: Size) -> Iterator[Float[np.ndarray, "H W"]]:
    """The map of each class at `size`, bilinear with half-pixel centres."""
    for plane in cv2.split(values) if values.shape[-1] > 1 else [values[..., 0]]:
        yield resized(plane, size)


def resized(plane: Float[np.ndarray, "h w"], size: Size) -> Float[np.ndarray, "H W"]:
    """One map at `size`, bilinear with half-pixel centres."""
    if plane.shape == tuple(size):
        return np.asarray(plane)
    return cv2.resize(np.ascontiguousarray(plane), size[::-1], interpolation=cv2.INTER_LINEAR)


def largest(
    values: Float[np.ndarray, "h w C"], size: Size
) -> tuple[UInt8[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """The class of the largest value at every pixel of `size` (of equal ones the first), and that value."""
    every = planes(values, size)
    best = next(every).copy()
    ids = np.zeros(best.shape, np.uint8)
    for number, plane in enumerate(every, start=1):
        np.copyto(ids, np.uint8(number), where=plane > best)
        np.maximum(best, plane, out=best)
    return ids, best


def entropy(probabilities: Float[np.ndarray, "h w C"], size: Size) -> Float[np.ndarray, "H W"]:
    """-sum p log p / log C, in [0,1]; of a single class 0."""
    count = probabilities.shape[-1]
    total = np.zeros(size, np.float32)
    for plane in planes(probabilities, size):
        total -= plane * np.log(np.maximum(plane, LEAST))
    return np.clip(total / max(np.log(count), LEAST), 0, 1) if count > 1 else total


def nearest(values: np.ndarray, size: Size) -> np.ndarray:
    """Values [h,w] of the nearest pixels, at `size`."""
    rows, columns = (_indices(*sides) for sides in zip(values.shape, size, strict=False))
    return values[rows[:, None], columns]


@functools.lru_cache(64)
def _indices(stored: int, wanted: int) -> np.ndarray:
    """For each of `wanted` places the nearest of `stored`, as cv2.INTER_NEAREST chooses it."""
    row = np.arange(stored, dtype=np.float32)[None]
    return cv2.resize(row, (wanted, 1), interpolation=cv2.INTER_NEAREST)[0].astype(np.int64)
