"""One stored example: checked, resized to the stored size, and coded as image files; and back to arrays.

Images are JPEG quality 98 without chroma subsampling (or PNG), labels PNG, depth 16-bit PNG in 1/256 m (0 =
none; so up to 255.99 m, as KITTI stores it). Decoding happens here only: all readers return the same bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from sde_seg_jax.data.spec import NEIGHBORS, DatasetSpec, Size
from sde_seg_jax.data.stored import jpeg_window
from sde_seg_jax.data.window import Window, cut
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import Intrinsics

RESIZE = "lanczos"  # of images; labels and depth take the nearest pixel
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
class Coded:
    """One sample, ready to be stored.

    Attributes:
      stored: image, label, depth: file contents; neighbors: list of them ([] if none); pose [2,4,4], intrinsics
        [4] at the stored size: float32; name; labeled. What the sample lacks is a placeholder.
      fields: which optional fields the sample really has.
      pixels: int64 [C+1], pixels of each class at the stored size and, last, of none; zeros if unlabeled.
    """

    stored: dict[str, Any]
    fields: tuple[str, ...]
    pixels: np.ndarray


def encode(spec: DatasetSpec, item: Any, size: Size, image_format: str, space: LabelSpace | None = None) -> Coded:
    """Loads, checks, resizes and codes one item. Runs in worker processes. `space` is needed if `spec` has none.

    Raises:
      ValueError: sizes differ, or ids are outside the label space.
    """
    space = space or spec.space
    example = spec.load(item, size)
    check(example, spec, space)
    here = tuple(field for field in spec.fields if example.get(field) is not None and len(example[field]))
    suffix, flags = CODECS[image_format]
    if image_format == "jpeg":  # so that readers need not decode what a crop leaves out
        flags = [*flags, cv2.IMWRITE_JPEG_RST_INTERVAL, jpeg_window.restart_interval(size[1])]
    # OpenCV codes BGR
    stored = {
        "image": _encode(_resize_image(example["image"], size)[..., ::-1], suffix, flags),
        "intrinsics": _resize_intrinsics(example["intrinsics"], example["image"].shape[:2], size),
        "name": example["name"],
        "labeled": "label" in here,
    }
    pixels = np.zeros(space.num_classes + 1, np.int64)
    if "neighbors" in spec.fields:
        frames = example["neighbors"] if "neighbors" in here else ()
        stored["neighbors"] = [_encode(_resize_image(frame, size)[..., ::-1], suffix, flags) for frame in frames]
    if "label" in spec.fields:
        label = _resize_nearest(example["label"], size) if "label" in here else np.full(size, space.ignore)
        if "label" in here:
            known = label[label != space.ignore]
            pixels[:-1] = np.bincount(known.astype(np.int64), minlength=space.num_classes)
            pixels[-1] = label.size - known.size
        stored["label"] = _encode(label.astype(np.uint8), ".png", FLAT)
    if "depth" in spec.fields:
        depth = _resize_nearest(example["depth"], size) if "depth" in here else np.zeros(size)
        stored["depth"] = _encode(_quantize_depth(depth), ".png")
    if "pose" in spec.fields:
        stored["pose"] = np.asarray(example["pose"] if "pose" in here else np.zeros((NEIGHBORS, 4, 4)), np.float32)
    return Coded(stored, here, pixels)


def decode(stored: dict[str, Any], fields: Sequence[str], window: Window | None = None) -> dict[str, Any]:
    """Turns a stored example into arrays: image, intrinsics, name, labeled, and the optional `fields`.

    Of the maps only `window` is returned, and of JPEG files little more is decoded; the intrinsics are always those of
    the whole image.
    """
    name = stored["name"]
    example = {
        "image": _decode_image(stored["image"], window),
        "intrinsics": np.asarray(stored["intrinsics"], np.float32),
        "name": name if isinstance(name, str) else bytes(name).decode(),
        "labeled": np.bool_(stored["labeled"]),
    }
    if "neighbors" in fields:
        example["neighbors"] = np.stack([_decode_image(frame, window) for frame in stored["neighbors"]])
    if "label" in fields:
        example["label"] = cut(_decode(stored["label"], cv2.IMREAD_UNCHANGED), window)
    if "depth" in fields:
        units = cut(_decode(stored["depth"], cv2.IMREAD_UNCHANGED), window)
        example["depth"] = units.astype(np.float32) / np.float32(DEPTH_SCALE)
    if "pose" in fields:
        example["pose"] = np.asarray(stored["pose"], np.float32).reshape(NEIGHBORS, 4, 4)
    return example


def check(example: dict[str, Any], spec: DatasetSpec, space: LabelSpace | None = None) -> None:
    """Raises a ValueError naming the file (or sample) unless the example keeps its description's promise.

    `space` replaces that of `spec`, which may have none.
    """
    files = example.get("files", {})

    def which(field: str) -> str:
        path = files.get(field)
        return f"{field} '{path}'" if path else f"{field} of {example['name']!r}"

    size = example["image"].shape[:2]
    frames = () if example.get("neighbors") is None else example["neighbors"]
    if len(frames) not in (0, NEIGHBORS):
        raise ValueError(f"{example['name']!r} has {len(frames)} neighbors; expected {NEIGHBORS} or none")
    maps = {field: example[field] for field in ("label", "depth") if example.get(field) is not None}
    for field, value in [*maps.items(), *(("neighbors", frame) for frame in frames)]:
        if value.shape[:2] != size:
            found, wanted = (f"{h}x{w}" for h, w in (value.shape[:2], size))
            raise ValueError(f"{which(field)} is {found} but {which('image')} is {wanted} (h x w); make them equal")
    if "label" in maps:
        check_ids(maps["label"], space or spec.space, which("label"))


def check_ids(label: np.ndarray, space: LabelSpace, where: str) -> None:
    """Raises a ValueError listing the ids outside 0..C-1 (and the ignore id)."""
    ids = np.unique(label)
    wrong = ids[((ids < 0) | (ids >= space.num_classes)) & (ids != space.ignore)]
    if wrong.size:
        raise ValueError(
            f"{where} has ids {wrong.tolist()} outside label space {space.name!r} "
            f"(0..{space.num_classes - 1}, {space.ignore} = ignore); map them to one of these"
        )


def _resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """Lanczos filter, widened by the factor when shrinking, rounded to uint8: as published (Q33)."""
    if image.shape[:2] == tuple(size):
        return image
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size[::-1], Image.Resampling.LANCZOS))


def _resize_nearest(values: np.ndarray, size: Size) -> np.ndarray:
    """Nearest neighbour at pixel centres, never mixing ids: pixel i reads floor((i + 0.5) * from / to)."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for m, n in zip(values.shape, size, strict=True))
    return values[rows[:, None], columns]


def _resize_intrinsics(intrinsics, from_size: Size, to_size: Size) -> np.ndarray:
    raw = Intrinsics(*(np.array([value], np.float64) for value in intrinsics))
    stored = camera.resize(raw, tuple(from_size), tuple(to_size))
    return np.array([stored.fx[0], stored.fy[0], stored.cx[0], stored.cy[0]], np.float32)


def _quantize_depth(depth: np.ndarray) -> np.ndarray:
    units = np.round(np.asarray(depth, np.float64) * DEPTH_SCALE)
    representable = np.isfinite(units) & (units > 0) & (units <= np.iinfo(np.uint16).max)
    return np.where(representable, units, 0).astype(np.uint16)


def _encode(image: np.ndarray, suffix: str, flags=()) -> bytes:
    return cv2.imencode(suffix, np.ascontiguousarray(image), list(flags))[1].tobytes()


def _decode(content: bytes, flags: int) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)


def _decode_image(content: bytes, window: Window | None) -> np.ndarray:
    if window is None:
        return _decode(content, cv2.IMREAD_COLOR_RGB)
    content, top, left = jpeg_window.cut(content, *window)
    rows, columns = (slice(w.start - o, w.stop - o) for w, o in zip(window, (top, left), strict=True))
    return _decode(content, cv2.IMREAD_COLOR_RGB)[rows, columns]
