"""Label pictures: RGB colors instead of ids."""

from __future__ import annotations

import functools
import pathlib
import warnings
from collections.abc import Mapping

import numpy as np

from sde_seg_jax.data.raw_files import png, raw
from sde_seg_jax.types import IGNORE

Color = tuple[int, int, int]  # RGB, 0..255
UNKNOWN = 255  # in the lookup table; neither a training id nor IGNORE
EXACT = 0.5  # share of pixels of known colors, from which it is a label
# Or so few, if of the others so many lie between two known colors; up to so far from the line, of 255.
SOME_EXACT, MIXED, NEAR = 0.2, 0.8, 3
MOST = 2000  # of the unknown colors, the most frequent, that are looked at for it
SOME = 8  # distinct unknown colors from which edges may be smoothed
SHARPEN = 'draw and resize labels without smoothing, or add "blends": true to a class of "ignore": true'
FAR = 24  # of 255, in every channel: what JPEG makes of a color away from edges
MANY = 256  # distinct unknown colors from which a picture is a photograph, not a label


def read_train_ids(path: pathlib.Path, table: Mapping[Color, int]) -> np.ndarray:
    """Training ids uint8 [h, w] of an 8-bit RGB PNG; see `train_ids`.

    Raises:
      ValueError: the file is broken, of another kind, or a photograph.
    """
    header = png.read_header(path)
    if (header.bits, header.color_type) != (8, png.RGB):
        raise ValueError(f"label '{path}' has {header.bits} bits, color type {header.color_type}; expected 8-bit RGB")
    return train_ids(raw.read_image(path), table, path)


def train_ids(rgb: np.ndarray, table: Mapping[Color, int], path: pathlib.Path, *, blends: bool = False) -> np.ndarray:
    """Maps colors uint8 [h, w, 3], matched exactly, by the table to training ids (or IGNORE), uint8 [h, w].

    Colors beyond the table are unknown: they become IGNORE, and a warning names the file and the first of them. With
    `blends` that goes without saying, for any number of them, if edges are smoothed: most pixels have exact colors, or
    the others are mixtures of two.

    Raises:
      ValueError: there are so many unknown colors that edges are smoothed, or that this is a photograph.
    """
    red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
    codes = (red << 16) + (green << 8) + blue
    ids = _lookup(tuple(sorted(table.items())))[codes]
    unknown = ids == UNKNOWN
    if unknown.any():
        found, counts = np.unique(codes[unknown], return_counts=True)
        exact = 1 - float(unknown.mean())
        smoothed = exact >= EXACT or (exact >= SOME_EXACT and _mixed(found, counts, table) >= MIXED)
        if blends and smoothed:
            return np.where(unknown, np.uint8(IGNORE), ids)
        if len(found) > MANY and smoothed:
            raise ValueError(
                f"label '{path}' has {len(found)} unknown colors, but {exact:.1%} of its pixels have exact ones: "
                f"smoothed edges; {SHARPEN}"
            )
        if len(found) > MANY:
            raise ValueError(
                f"label '{path}' has {len(found)} unknown colors, so it is no label picture; "
                f"are the folders of images and labels swapped?"
            )
        first = [(code >> 16, code >> 8 & 255, code & 255) for code in found[:5].tolist()]
        hint = f"; smoothed edges? {SHARPEN}" if len(found) > SOME and smoothed else ""
        warnings.warn(f"label '{path}' has {len(found)} unknown colors {first}: ignored{hint}", stacklevel=2)
    return np.where(unknown, np.uint8(IGNORE), ids)


def nearest_ids(rgb: np.ndarray, table: Mapping[Color, int]) -> np.ndarray:
    """As `train_ids` of colors that JPEG smeared: those of the nearest color, IGNORE where none is near."""
    ids, best = np.full(rgb.shape[:2], IGNORE, np.uint8), np.full(rgb.shape[:2], FAR + 1)
    for color, train_id in table.items():
        far = np.abs(rgb.astype(np.int16) - np.array(color, np.int16)).max(axis=-1)
        ids[far < best], best = train_id, np.minimum(best, far)
    return ids


@functools.lru_cache(maxsize=2)  # 16 MiB each
def _lookup(table: tuple[tuple[Color, int], ...]) -> np.ndarray:
    ids = np.full(1 << 24, UNKNOWN, np.uint8)
    for (red, green, blue), train_id in table:
        ids[(red << 16) + (green << 8) + blue] = train_id
    return ids


def _mixed(codes: np.ndarray, counts: np.ndarray, table: Mapping[Color, int]) -> float:
    """The share of pixels, of those of unknown colors, whose color lies between two known ones."""
    order = np.argsort(-counts)[:MOST]
    codes, counts = codes[order], counts[order]
    here = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.float32)  # [n, 3]
    ends = np.array(list(table), np.float32)  # [k, 3]
    mixed = np.zeros(len(here), bool)
    for first, start in enumerate(ends):
        for end in ends[first + 1 :]:
            line = end - start
            along = np.clip((here - start) @ line / (line @ line), 0, 1)
            mixed |= np.abs(here - start - along[:, None] * line).max(-1) <= NEAR
    return float(counts[mixed].sum() / counts.sum())
