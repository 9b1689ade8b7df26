"""The geometry of every sample of a split in memory, at low resolution, so that hundreds of crops are compared at once.

A disparity map is normalised to [0,1] over its whole image and scaled (`geometry_distance`), and then averaged in the
cells of a grid over the image. In this order the difference of two cells is at most the mean difference of their
pixels, and equal to it where one is nearer all over the cell: what looks different here is different. Cells need not
hold whole pixels: a pixel counts by the share of it that lies inside.

24,966 images (GTA5) of 32x64 cells are 102 MB.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import Float, Float16, Int

from sde_seg_jax.data.matching.geometry_distance import check_scale
from sde_seg_jax.data.matching.geometry_maps import Crops, scaled_map
from sde_seg_jax.data.spec import Size
from sde_seg_jax.state_files.reading import DamagedFile, named, parse
from sde_seg_jax.state_files.schemas import GEOMETRY

SCHEMA = 1  # raise it when the cells are made differently
CELLS = (32, 64)
GRID = (16, 16)  # points of a crop that are compared


@dataclasses.dataclass(frozen=True)
class GeometryIndex:
    """Scaled disparities of all samples of a split, averaged in cells; `build` makes it.

    Attributes:
      cells: of sample i at [i].
      size: (height, width) of the images in pixels.
      facts: what it was made from, see `facts_of`.
      grid: how many points of a crop `crops` looks at, down and across.
    """

    cells: Float16[np.ndarray, "N h w"]
    size: Size
    facts: Mapping[str, Any]
    grid: Size = GRID

    @property
    def scale(self) -> str:
        """Of the disparities: one of `geometry_distance.SCALES`."""
        return self.facts["scale"]

    def __len__(self) -> int:
        return len(self.cells)

    def resolution(self, crop: Size) -> Size:
        """Rows and columns of what `crops` returns, whatever the crop."""
        return self.grid

    def crops(self, where: Crops, crop: Size, rows: slice = slice(None)) -> Float[np.ndarray, "N gh gw"]:
        """These rows of the crops: the cells that hold the middles of the parts of a crop that is cut into `grid`."""
        height, width = self.cells.shape[1:]
        down = _places(self.size[0], crop[0], height, self.grid[0])[where.tops, rows]
        across = _places(self.size[1], crop[1], width, self.grid[1])[where.lefts]
        across = np.where(where.flips[:, None], across[:, ::-1], across)
        first = (where.indices[:, None] * height + down) * width
        return self.cells.reshape(-1).take(first[:, :, None] + across[:, None, :]).astype(np.float32)


@functools.lru_cache(maxsize=16)
def _places(pixels: int, crop: int, cells: int, points: int) -> Int[np.ndarray, "offsets points"]:
    """For every offset of a crop: the cells that its points lie in."""
    offsets = np.arange(pixels - crop + 1)[:, None] + (np.arange(points) + 0.5)[None] * (crop / points)
    return np.minimum(np.floor(offsets * (cells / pixels)), cells - 1).astype(np.int64)


def facts_of(names: Sequence[str], size: Size, cells: Size, scale: str, weights: str) -> dict[str, Any]:
    """What an index depends on: the samples and their order, and how and by which weights their maps were made.

    Raises ValueError for an unknown scale, or cells that are no pair of positive numbers.
    """
    check_scale(scale)
    if min(cells, default=0) < 1 or len(cells) != 2:
        raise ValueError(
            f"matching.cells is {tuple(cells)}, expected (rows, columns), 1 or more of each, such as {CELLS}"
        )
    return {
        "schema": SCHEMA,
        "names": hashlib.sha256("\n".join(names).encode()).hexdigest(),
        "count": len(names),
        "size": list(size),
        "cells": list(cells),
        "scale": scale,
        "weights": weights,
    }


def build(
    disparities: Iterable[Float[np.ndarray, "H W"]],
    facts: Mapping[str, Any],
    names: Sequence[str],
    progress: Callable[[int], None] | None = None,
) -> GeometryIndex:
    """Makes the index that `facts` (of `facts_of`) describes from the disparities of its samples, in their order.

    `progress` is called with the number of maps done so far.

    Raises:
      ValueError: a map has another size than the images, or holds NaN; there are fewer or more of them than samples;
        the scale is unknown.
    """
    pairs = zip(names, disparities, strict=True)
    return _assemble((cell_means(disparity, facts, name) for name, disparity in pairs), facts, progress)


def build_in_threads(
    read: Callable[[int], Float[np.ndarray, "H W"]],
    facts: Mapping[str, Any],
    names: Sequence[str],
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
) -> GeometryIndex:
    """`build` from random access to the disparities, such as `DepthCache.read`; threads: one a core if None."""
    with concurrent.futures.ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        try:
            means = pool.map(lambda index: cell_means(read(index), facts, names[index]), range(len(names)))
            return _assemble(means, facts, progress)
        finally:  # after an error or an interruption the rest is not wanted
            pool.shutdown(cancel_futures=True)


def _assemble(
    means: Iterable[np.ndarray], facts: Mapping[str, Any], progress: Callable[[int], None] | None
) -> GeometryIndex:
    cells = np.empty((facts["count"], *facts["cells"]), np.float16)
    for index, found in enumerate(means):
        cells[index] = found
        if progress is not None:
            progress(index + 1)
    return GeometryIndex(cells, tuple(facts["size"]), dict(facts))


def cell_means(disparity: Float[np.ndarray, "H W"], facts: Mapping[str, Any], name: str) -> Float[np.ndarray, "h w"]:
    """What the index keeps of a sample's disparity. Raises ValueError that names the sample."""
    size, cells = facts["size"], facts["cells"]
    scaled = scaled_map(disparity, tuple(size), facts["scale"], name)
    return area_weights(size[0], cells[0]) @ scaled @ area_weights(size[1], cells[1]).T


@functools.lru_cache(maxsize=4)
def area_weights(pixels: int, cells: int) -> Float[np.ndarray, "cells pixels"]:
    """Which share of each cell every pixel of a line covers: the mean of a cell is a sum with these weights."""
    edges = np.arange(cells + 1) * (pixels / cells)
    starts = np.arange(pixels)[None]
    inside = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return (np.clip(inside, 0, None) * (cells / pixels)).astype(np.float32)


def save(index: GeometryIndex, file: epath.PathLike) -> None:
    """Writes an index with its facts; the file appears under its name when it is complete."""
    content = io.BytesIO()
    np.savez(content, facts=np.array(json.dumps(index.facts)), cells=index.cells)
    path = epath.Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f"{path.name}.{uuid.uuid4().hex}.partial"
    try:
        partial.write_bytes(content.getvalue())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def load(file: epath.PathLike, facts: Mapping[str, Any]) -> GeometryIndex | None:
    """Reads an index; None if there is no file, or it is damaged or was made from other facts: then `build` again."""
    path = epath.Path(file)
    if not path.exists():
        return None
    try:
        with named(path), np.load(io.BytesIO(path.read_bytes())) as stored:
            found, cells = parse(str(stored["facts"]), path, GEOMETRY), stored["cells"]
    except (OSError, DamagedFile):
        return None
    if found != dict(facts) or cells.dtype != np.float16 or cells.shape != (facts["count"], *facts["cells"]):
        return None
    return GeometryIndex(cells, tuple(facts["size"]), found)
