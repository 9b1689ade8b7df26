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


def train_ids(rgb: np.ndarray, table: Mapping[Color, int], path: pathlib.Path) -> np.ndarray:
    """Maps colors uint8 [h, w, 3], matched exactly, by the table to training ids (or IGNORE), uint8 [h, w].

    Colors beyond the table are unknown: they become IGNORE, and a warning names the file and the first of them.

    Raises:
      ValueError: there are so many unknown colors that this is a photograph.
    """
    red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
    codes = (red << 16) + (green << 8) + blue
    ids = _lookup(tuple(sorted(table.items())))[codes]
    unknown = ids == UNKNOWN
    if unknown.any():
        found = np.unique(codes[unknown]).tolist()
        if len(found) > MANY:
            raise ValueError(
                f"label '{path}' has {len(found)} unknown colors, so it is no label picture; "
                f"are the folders of images and labels swapped?"
            )
        first = [(code >> 16, code >> 8 & 255, code & 255) for code in found[:5]]
        warnings.warn(f"label '{path}' has {len(found)} unknown colors {first}: ignored", stacklevel=2)
    return np.where(unknown, np.uint8(IGNORE), ids)


@functools.lru_cache(maxsize=2)  # 16 MiB each
def _lookup(table: tuple[tuple[Color, int], ...]) -> np.ndarray:
    ids = np.full(1 << 24, UNKNOWN, np.uint8)
    for (red, green, blue), train_id in table:
        ids[(red << 16) + (green << 8) + blue] = train_id
    return ids
