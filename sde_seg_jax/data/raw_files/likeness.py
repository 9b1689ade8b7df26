"""Whether a picture looks like a label: few values, in areas without texture."""

from __future__ import annotations

import os
import pathlib

import numpy as np

from sde_seg_jax.data.raw_files import listing, raw
from sde_seg_jax.image_files import open_image

VALUES = 32  # at most so many in a label: a picture shows a part of the classes
FLAT = 0.85  # share of pixels that equal the one to their right: labels of streets have 0.95 and more
DENSE = 0.6  # bytes a pixel from which a compressed file is a photograph, without decoding it
UNPACKED = (".bmp", ".tif", ".tiff")  # whose size tells nothing
SMEAR = 3  # what JPEG adds to, or takes from, a value in a flat area
COARSE = 5  # bits that JPEG leaves alone there
SHOWN = 512  # pixels a side that are looked at


def looks_labeled(path: str | os.PathLike) -> bool:
    """Does this picture look like a label? Not one that cannot be read: that is told elsewhere.

    Of JPEG files nothing is exact: there, few coarse values in smooth areas are enough.
    """
    kind = listing.suffix(os.fspath(path))
    try:
        with open_image(path) as image:
            pixels = image.width * image.height
            dense = os.path.getsize(path) > DENSE * pixels + 512  # of headers
            if image.mode[0] in "IF" or (dense and kind not in UNPACKED):
                return False
            image.load()
            mode = image.mode if image.mode in ("P", "L", "1") else "RGB"
            values = np.asarray(image.convert(mode))
    except raw.BROKEN:
        return False
    return few_values(values, smeared=kind in listing.SMEARED)


def few_values(values: np.ndarray, smeared: bool = False) -> bool:
    """Whether uint8 [h, w] or [h, w, 3] has few values in flat areas, and more than one: a covered lens has that."""
    values = values[:: -(-len(values) // SHOWN), :SHOWN].astype(np.int32)  # whole rows apart, neighbors in a row
    step = np.abs(np.diff(values, axis=1)).reshape(len(values), -1, *values.shape[2:])
    step = step.max(-1) if step.ndim == 3 else step
    flat = step <= (SMEAR if smeared else 0)
    if not flat.size or flat.mean() < FLAT:
        return False
    inner = values[:, 1:][flat] >> (8 - COARSE if smeared else 0)
    codes = inner if inner.ndim == 1 else inner @ np.array([1 << 16, 1 << 8, 1])
    return (0 if smeared else 1) < len(np.unique(codes)) <= VALUES


def any_labeled(folder: pathlib.Path, most: int = 3) -> bool:
    """Does one of the first pictures below a folder look like a label?"""
    files = (here / name for here, names in listing.tree(folder).folders for name in names)
    pictures = [path for path in files if listing.suffix(path.name) in listing.LABELS]
    return any(map(looks_labeled, pictures[:most]))
