"""Regions of pixels as labelling tools draw them: run lengths and polygons. Pure functions on arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

POINTS, FAR = 100_000, 1e7  # points of a polygon, and pixels from the corner, that are taken for drawn ones
Patch = tuple[int, int, np.ndarray]  # top, left, mask bool [h, w]


def runs(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of a mask bool [h, w], row after row: outside, inside, outside, ...; the first may be 0."""
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(changes, prepend=0, append=flat.size).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def from_runs(lengths: Sequence[int], height: int, width: int) -> np.ndarray:
    """The mask bool [height, width] of `runs`; what is missing at the end is outside.

    Raises:
      ValueError: a run is negative, or the runs are longer than the mask.
    """
    lengths = np.asarray(lengths, np.int64)
    wrong = height < 1 or width < 1 or (lengths < 0).any() or (lengths > height * width).any()
    if wrong or lengths.sum() > height * width:
        raise ValueError(f"runs of {sum(lengths.tolist())} pixels in a mask of {width} x {height}")
    inside = np.arange(len(lengths)) % 2 == 1
    flat = np.zeros(height * width, bool)
    flat[: lengths.sum()] = np.repeat(inside, lengths)
    return flat.reshape(height, width)


def box(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the smallest box around a mask bool [H, W] that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def patch_of_polygon(points: np.ndarray, height: int, width: int) -> Patch:
    """`from_polygon` of the box around it only, as frames have many small polygons; raises as that does."""
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        return 0, 0, from_polygon(points, height, width)  # says what is wrong
    limits = (width, height)
    left, top = np.clip(np.floor(points.min(0)), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(points.max(0)), 0, limits).astype(int)
    return top, left, from_polygon(points - (left, top), bottom - top, right - left)


def from_polygon(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask bool [height, width] of a closed polygon float [n, 2], (x, y) in pixels from the top left corner.

    A pixel is inside when its center (column + 0.5, row + 0.5) is, by the even-odd rule; what lies beyond the mask is
    cut off.

    Raises:
      ValueError: a coordinate is not finite or very far away, or there are fewer than three points, or too many.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise ValueError(f"a polygon of shape {points.shape}; expected three or more finite points (x, y)")
    if len(points) > POINTS or np.abs(points).max() > FAR:
        far = np.abs(points).max()
        raise ValueError(f"a polygon of {len(points)} points up to {far:g} away; expected up to {POINTS}, {FAR:g} away")
    turns = np.zeros((height, width + 1), bool)  # where a row enters or leaves
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        first, end = np.clip(np.ceil(np.sort([y0, y1]) - 0.5), 0, height).astype(int)
        rows = np.arange(first, end)
        if len(rows):
            crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            turns[rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)] ^= True
    return np.logical_xor.accumulate(turns[:, :width], axis=1)
