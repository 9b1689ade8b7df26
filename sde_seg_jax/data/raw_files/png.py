"""What Pillow does not give of a PNG file: its header without opening it, and 16 bits a color channel."""

from __future__ import annotations

import dataclasses
import pathlib
import struct

import cv2
import numpy as np

from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.image_files import open_image

FORMATS = ("PNG",)  # as Pillow calls it
SIGNATURE = b"\x89PNG\r\n\x1a\n"
START = struct.Struct(">8s4x4sIIBB")  # signature, length, chunk type, width, height, bit depth, color type
RGB, PALETTE = 2, 3  # color types


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


def read_16_bit_rgb(path: pathlib.Path) -> np.ndarray:
    """Uint16 [h, w, 3] in the order red, green, blue, of a PNG with 16 bits a channel (Pillow drops the lower 8).

    Raises:
      ValueError: the file is broken or cut off.
    """
    try:
        with open_image(path, FORMATS) as image:
            image.verify()  # the check sums: OpenCV fills what is missing with zeros
    except raw.BROKEN as error:
        raise ValueError(f"cannot read '{path}' ({error}); replace the file, then prepare again") from error
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError(f"cannot read '{path}' (OpenCV cannot decode it); replace the file, then prepare again")
    return values[..., ::-1]
