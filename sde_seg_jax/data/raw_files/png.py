"""What Pillow does not give of a PNG file: its header without opening it, and 16 bits a color channel."""

from __future__ import annotations

import dataclasses
import pathlib
import struct

import cv2
import numpy as np
from PIL import Image

from sde_seg_jax.data.raw_files import listing, raw

SIGNATURE = b"\x89PNG\r\n\x1a\n"
START = struct.Struct(">8s4x4sIIBB")  # signature, length, chunk type, width, height, bit depth, color type
RGB, PALETTE = 2, 3  # color types
OTHER_LABELS = tuple(kind for kind in listing.LABELS if kind != ".png")
BITS_PER_SAMPLE = 258  # of a TIFF file


@dataclasses.dataclass(frozen=True)
class Header:
    """Of a PNG file: size in pixels, bits a channel, color type (0 gray, 2 RGB, 3 palette, 4 and 6 with alpha)."""

    height: int
    width: int
    bits: int
    color_type: int


def read_header(path: pathlib.Path) -> Header:
    """Reads the first 26 bytes, whatever the size of the file.

    Raises:
      ValueError: the file is not readable, empty, cut off within its header, or no PNG.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(START.size)
    except OSError as error:
        raise ValueError(f"cannot read '{path}' ({error}); replace the file, then prepare again") from error
    if len(start) == START.size:
        signature, chunk, width, height, bits, color_type = START.unpack(start)
        if signature == SIGNATURE and chunk == b"IHDR":
            return Header(height, width, bits, color_type)
    what = "it is empty" if not start else "it does not start as a PNG file"
    raise ValueError(f"cannot read '{path}' ({what}); replace the file, then prepare again")


def label_header(path: pathlib.Path) -> Header:
    """As `read_header`, also of a label that is another kind of picture (BMP, TIFF, JPEG), by its name.

    Raises:
      ValueError: the file is not readable.
    """
    if path.suffix.lower() not in OTHER_LABELS:
        return read_header(path)
    try:
        with Image.open(path, formats=raw.FORMATS) as image:
            bits = max(image.tag_v2.get(BITS_PER_SAMPLE, (1,))) if image.format == "TIFF" else 8
            return Header(image.height, image.width, bits, PALETTE if image.mode == "P" else RGB)
    except (*raw.BROKEN, TypeError) as error:
        raise ValueError(f"cannot read '{path}' ({error}); replace the file, then prepare again") from error


def read_16_bit_rgb(path: pathlib.Path) -> np.ndarray:
    """Uint16 [h, w, 3] in the order red, green, blue, of a PNG with 16 bits a channel (Pillow drops the lower 8).

    Raises:
      ValueError: the file is broken or cut off.
    """
    try:
        with Image.open(path) as image:
            image.verify()  # the check sums: OpenCV fills what is missing with zeros
    except raw.BROKEN as error:
        raise ValueError(f"cannot read '{path}' ({error}); replace the file, then prepare again") from error
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError(f"cannot read '{path}' (OpenCV cannot decode it); replace the file, then prepare again")
    return values[..., ::-1]
