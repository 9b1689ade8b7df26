"""How each kind of field is made ready for a record and read back: image files for maps, plain numbers for the rest.

Images are JPEG quality 98 without chroma subsampling (or PNG), labels PNG, depth 16-bit PNG in 1/256 m (0 =
none; so up to 255.99 m, as KITTI stores it).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from sde_seg_jax.data.fields import Field
from sde_seg_jax.data.spec import Size
from sde_seg_jax.data.stored import jpeg_window
from sde_seg_jax.data.window import Window, cut

DEPTH_SCALE = 256.0  # stored units a metre
FLAT = [  # PNG options for label maps: as small as the default's, and decoded in a fifth of the time
    cv2.IMWRITE_PNG_COMPRESSION,
    3,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_NONE,
]
CODECS = {  # how images are stored: file type and OpenCV's options
    "jpeg": (
        ".jpg",
        [
            cv2.IMWRITE_JPEG_QUALITY,
            98,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
    ),
    "png": (".png", []),
}


@dataclasses.dataclass(frozen=True)
class Format:
    """What the samples of prepared data share."""

    size: Size
    image_format: str  # a key of CODECS
    ignore: int  # id of pixels without ground truth


@dataclasses.dataclass(frozen=True)
class Coding:
    """Of one value: a map, a frame of several, or an array of numbers."""

    resize: Callable[[np.ndarray, Size], np.ndarray]
    absent: Callable[[Field, Format], np.ndarray]  # what stands for a value that a sample lacks
    write: Callable[[np.ndarray, Format], Any]
    read: Callable[[Any, Field, Window | None], np.ndarray]


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """Lanczos filter, widened by the factor when shrinking, rounded to uint8: as published.

    See Q33 in docs/record/differences.md.
    """
    if image.shape[:2] == tuple(size):
        return image
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size[::-1], Image.Resampling.LANCZOS))


def resize_nearest(values: np.ndarray, size: Size) -> np.ndarray:
    """Nearest neighbour at pixel centres, never mixing ids: pixel i reads floor((i + 0.5) * from / to)."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for m, n in zip(values.shape, size, strict=True))
    return values[rows[:, None], columns]


def write_image(image: np.ndarray, form: Format) -> bytes:
    """The image file of uint8 [H, W, 3]."""
    suffix, flags = CODECS[form.image_format]
    if form.image_format == "jpeg":  # so that readers need not decode what a crop leaves out
        flags = [*flags, cv2.IMWRITE_JPEG_RST_INTERVAL, jpeg_window.restart_interval(form.size[1])]
    return _encode(image[..., ::-1], suffix, flags)  # OpenCV codes BGR


def read_image(content: bytes, window: Window | None) -> np.ndarray:
    """The window of an image file, uint8 [h, w, 3]."""
    if window is None:
        return _decode(content, cv2.IMREAD_COLOR_RGB)
    content, top, left = jpeg_window.cut(content, *window)
    rows, columns = (slice(w.start - o, w.stop - o) for w, o in zip(window, (top, left), strict=True))
    return _decode(content, cv2.IMREAD_COLOR_RGB)[rows, columns]


def _write_depth(depth: np.ndarray, form: Format) -> bytes:
    units = np.round(np.asarray(depth, np.float64) * DEPTH_SCALE)
    representable = np.isfinite(units) & (units > 0) & (units <= np.iinfo(np.uint16).max)
    return _encode(np.where(representable, units, 0).astype(np.uint16), ".png")


def _read_depth(content: bytes, field: Field, window: Window | None) -> np.ndarray:
    units = cut(_decode(content, cv2.IMREAD_UNCHANGED), window)
    return units.astype(np.float32) / np.float32(DEPTH_SCALE)


def _encode(image: np.ndarray, suffix: str, flags: Sequence[int] = ()) -> bytes:
    return cv2.imencode(suffix, np.ascontiguousarray(image), list(flags))[1].tobytes()


def _decode(content: bytes, flags: int) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)


CODINGS = {
    "image": Coding(
        resize=resize_image,
        absent=lambda field, form: np.zeros((*form.size, 3), np.uint8),
        write=write_image,
        read=lambda content, field, window: read_image(content, window),
    ),
    "ids": Coding(
        resize=resize_nearest,
        absent=lambda field, form: np.full(form.size, form.ignore),
        write=lambda label, form: _encode(label.astype(np.uint8), ".png", FLAT),
        read=lambda content, field, window: cut(_decode(content, cv2.IMREAD_UNCHANGED), window),
    ),
    "depth": Coding(
        resize=resize_nearest,
        absent=lambda field, form: np.zeros(form.size),
        write=_write_depth,
        read=_read_depth,
    ),
    "numbers": Coding(
        resize=lambda values, size: values,
        absent=lambda field, form: np.zeros(field.shape),
        write=lambda values, form: np.asarray(values, np.float32),
        read=lambda values, field, window: np.asarray(values, np.float32).reshape(field.shape),
    ),
}
