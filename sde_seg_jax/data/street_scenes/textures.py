"""Procedural surface patterns, filtered to the size of a pixel so that neighbouring frames agree.

Only +, -, *, /, sqrt, floor, frexp and integer hashing are used: IEEE arithmetic fixes their results bit for
bit, whereas sin or exp may differ in the last bit between CPUs. Lengths are in texels or in periods.
"""

from __future__ import annotations

import functools

import numpy as np

SIZE = 256  # texels a side of the noise tile, which repeats seamlessly
LEVELS = 9  # 256, 128, ..., 1
OCTAVES = (
    (4, 0.30),
    (8, 0.34),
    (16, 0.38),
    (32, 0.40),
    (64, 0.36),
    (128, 0.30),
)  # lattice points a side, amplitude


def hash01(a: np.ndarray, b: np.ndarray, seed: int) -> np.ndarray:
    """Turns integer pairs into reproducible uniform float32 numbers in [0,1)."""
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    a, b = (
        np.atleast_1d(a).astype(np.int64),
        np.atleast_1d(b).astype(np.int64),
    )  # scalars would warn of overflow
    h = (a.astype(np.uint32) * np.uint32(0x8DA6B343)) ^ (b.astype(np.uint32) * np.uint32(0xD8163841))
    h = h ^ np.uint32((seed * 0x9E3779B1) & 0xFFFFFFFF)
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    h = h ^ (h >> np.uint32(15))
    return ((h >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)).reshape(shape)


def _octave(points: int, seed: int) -> np.ndarray:
    """Smooth periodic value noise in [-1,1] with `points` lattice points a side."""
    grid = np.arange(points)
    lattice = hash01(grid[None, :], grid[:, None], seed) * 2 - 1
    position = (np.arange(SIZE, dtype=np.float32) + np.float32(0.5)) * np.float32(points / SIZE)
    cell = np.floor(position).astype(np.int64)
    f = position - cell.astype(np.float32)
    f = f * f * (3 - 2 * f)
    low, high = cell % points, (cell + 1) % points
    rows = lattice[low] * (1 - f)[:, None] + lattice[high] * f[:, None]
    return rows[:, low] * (1 - f) + rows[:, high] * f


@functools.cache
def ripmap() -> np.ndarray:
    """The noise tile averaged over 2^i x 2^j texels for all i, j: flat [512*512].

    Block (i, j) starts at column 512 - (512 >> i) and row 512 - (512 >> j).
    """
    tile = np.zeros((SIZE, SIZE), np.float32)
    for seed, (points, amplitude) in enumerate(OCTAVES):
        tile = tile + _octave(points, seed) * np.float32(amplitude)
    atlas = np.zeros((2 * SIZE, 2 * SIZE), np.float32)
    for j in range(LEVELS):
        block = tile
        for i in range(LEVELS):
            y, x = 2 * SIZE - (2 * SIZE >> j), 2 * SIZE - (2 * SIZE >> i)
            atlas[y : y + block.shape[0], x : x + block.shape[1]] = block
            block = (block[:, 0::2] + block[:, 1::2]) * np.float32(0.5) if i < LEVELS - 1 else block
        tile = (tile[0::2] + tile[1::2]) * np.float32(0.5) if j < LEVELS - 1 else tile
    return atlas.reshape(-1)


def _taps(position: np.ndarray, extent: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The four (atlas index along one axis, weight) pairs of linear filtering in position and in level."""
    mantissa, exponent = np.frexp(extent)
    level = np.clip(exponent.astype(np.float32) + 2 * mantissa - 2, 0, np.float32(LEVELS - 1.001))  # ~log2, exact
    coarse = level.astype(np.int32)
    blend = level - coarse.astype(np.float32)
    taps = []
    for step, level_weight in ((0, 1 - blend), (1, blend)):
        index = coarse + step
        texels = np.right_shift(SIZE, index)
        c = position * (texels.astype(np.float32) * np.float32(1 / SIZE)) - np.float32(0.5)
        cell = np.floor(c)
        f = c - cell
        cell = cell.astype(np.int32)
        start, mask = 2 * SIZE - 2 * texels, texels - 1
        taps.append((start + (cell & mask), level_weight * (1 - f)))
        taps.append((start + ((cell + 1) & mask), level_weight * f))
    return taps


def noise(u: np.ndarray, v: np.ndarray, extent_u: np.ndarray, extent_v: np.ndarray) -> np.ndarray:
    """Multi-octave noise at texel coordinates (u, v), averaged over the given extents; mean 0, about [-1,1].

    Anisotropic filtering by a ripmap: the extents along the two axes are independent, so a road keeps its
    texture across the driving direction while it blurs along it.
    """
    atlas = ripmap()
    columns = _taps(u, extent_u)
    total = np.zeros_like(u)
    for row, row_weight in _taps(v, extent_v):
        base = row * (2 * SIZE)
        line = np.zeros_like(u)
        for column, weight in columns:
            line += weight * np.take(atlas, base + column)
        total += row_weight * line
    return total


def stripes(x: np.ndarray, width: np.ndarray | float, extent: np.ndarray) -> np.ndarray:
    """Share of the window x +- extent/2 inside stripes of period 1 and given width, centred on k + 1/2."""
    extent = np.maximum(extent, np.float32(1e-3))
    low = np.float32(0.5) - np.float32(0.5) * width

    def integral(y):
        cell = np.floor(y)
        return cell * width + np.clip(y - cell - low, 0, width)

    return (integral(x + extent / 2) - integral(x - extent / 2)) / extent


def band(x: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, extent: np.ndarray) -> np.ndarray:
    """Share of the window x +- extent/2 inside the single interval [low, high]."""
    extent = np.maximum(extent, np.float32(1e-3))
    return (np.clip(x + extent / 2, low, high) - np.clip(x - extent / 2, low, high)) / extent
