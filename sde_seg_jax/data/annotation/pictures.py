"""Label pictures of ids or colors: PNGs, other formats without loss, and JPEG files; the one reader of them."""

from __future__ import annotations

import pathlib
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image

from sde_seg_jax.data.annotation.frames import OtherSize, check_size
from sde_seg_jax.data.raw_files import listing, png, raw
from sde_seg_jax.data.spec import Size
from sde_seg_jax.image_files import open_image

LOSSY = ("JPEG", "MPO", "WEBP")  # may be so: of WebP the header does not tell
INSIDE = {"jpeg": "JPEG", "tiff_jpeg": "JPEG", "webp": "WEBP"}  # how a TIFF file may be packed with loss
BITS, COLOR_MODES = 8, ("RGB", "RGBA")  # of labels; palettes may have fewer bits
BITS_PER_SAMPLE = 258  # of a TIFF file


def read_raw(path: str, size: Size | None = None) -> np.ndarray:
    """The raw ids uint8 [h, w], or the colors uint8 [h, w, 3], of a label picture; its mode decides.

    One with loss is read, too. Of names that say so, those who list labels tell it (`own.label_files`); of others there
    is a warning here.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: it is unreadable, has too many pixels, or another mode.
    """
    found = _header(path)
    try:
        check_size(found.size, size)
    except OtherSize:
        raise
    except ValueError as error:
        raise ValueError(f"cannot read '{path}' ({error}); replace the file, then prepare again") from error
    if found.format in LOSSY and listing.suffix(path) not in listing.SMEARED:
        warnings.warn(
            f"label '{path}' is a {found.format} file, which smears ids and colors, most at edges; save it as PNG from "
            f"the tool that drew it",
            stacklevel=2,
        )

    def convert(image: Image.Image) -> Image.Image:
        if not found.whole or image.mode not in (*raw.LABEL_MODES, *COLOR_MODES):
            raise ValueError(
                f"label '{path}' has mode {image.mode} and {found.bits} bits; expected class ids (gray or palette) or "
                f"class colors (RGB); save it as an 8-bit PNG"
            )
        return image if image.mode in raw.LABEL_MODES else image.convert("RGB")

    return raw.read(path, convert)


def is_smeared(path: str) -> bool:
    """Is this label picture of a format with loss, so that no value is exact?"""
    return _header(path).format in LOSSY


class _Header(NamedTuple):
    """What the header of a label picture says."""

    format: str  # as Pillow calls it; of a TIFF file packed with loss, what it is packed as
    size: Size
    whole: bool  # whether values are as they were stored: Pillow rescales gray of fewer bits
    bits: int  # a channel


def _header(path: str) -> _Header:
    if listing.suffix(path) == ".png":
        found = png.read_header(pathlib.Path(path))
        whole = found.bits == BITS or found.color_type == png.PALETTE
        return _Header("PNG", (found.height, found.width), whole, found.bits)
    try:
        with open_image(path) as image:
            kind, bits = image.format or "", BITS
            if kind == "TIFF":
                bits = max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))
                kind = INSIDE.get(image.info.get("compression", ""), kind)
            return _Header(kind, image.size[::-1], bits == BITS or image.mode == "P", bits)
    except (*raw.BROKEN, TypeError) as error:
        message = f"cannot read '{path}' ({' '.join(str(error).split())}); replace the file, then prepare again"
        raise ValueError(message) from error
