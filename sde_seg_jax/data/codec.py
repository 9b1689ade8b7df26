"""One stored example: checked, resized to the stored size, and coded as image files; and back to arrays.

Images are JPEG quality 98 without chroma subsampling (or PNG), labels PNG, depth 16-bit PNG in 1/256 m (0 =
none; so up to 255.99 m, as KITTI stores it). Decoding happens here only: all readers return the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from sde_seg_jax.data.spec import NEIGHBORS, DatasetSpec, Size
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import Intrinsics

DEPTH_SCALE = 256.0  # stored units a metre
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


def encode(spec: DatasetSpec, item: Any, size: Size, image_format: str) -> dict[str, Any]:
    """Loads, checks, resizes and codes one item. Runs in worker processes.

    Returns:
      image, label, depth: file contents; neighbors: list of them ([] if none); pose [2,4,4], intrinsics [4]
      at the stored size: float32; name; labeled.

    Raises:
      ValueError: sizes differ, ids are outside the label space, or a declared field is missing.
    """
    example = spec.load(item, size)
    check(example, spec)
    suffix, flags = CODECS[image_format]
    # OpenCV codes BGR
    stored = {
        "image": _encode(_resize_image(example["image"], size)[..., ::-1], suffix, flags),
        "intrinsics": _resize_intrinsics(example["intrinsics"], example["image"].shape[:2], size),
        "name": example["name"],
        "labeled": example.get("label") is not None,
    }
    if "neighbors" in spec.fields:
        frames = example.get("neighbors", ())
        stored["neighbors"] = [_encode(_resize_image(frame, size)[..., ::-1], suffix, flags) for frame in frames]
    if "label" in spec.fields:
        label = example.get("label")
        label = np.full(size, spec.space.ignore) if label is None else _resize_nearest(label, size)
        stored["label"] = _encode(label.astype(np.uint8), ".png")
    if "depth" in spec.fields:
        stored["depth"] = _encode(_quantize_depth(_resize_nearest(example["depth"], size)), ".png")
    if "pose" in spec.fields:
        stored["pose"] = np.asarray(example["pose"], np.float32)
    return stored


def decode(stored: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Turns a stored example into arrays: image, intrinsics, name, labeled, and the optional `fields`."""
    name = stored["name"]
    example = {
        "image": _decode_image(stored["image"]),
        "intrinsics": np.asarray(stored["intrinsics"], np.float32),
        "name": name.decode() if isinstance(name, bytes) else name,
        "labeled": np.bool_(stored["labeled"]),
    }
    if "neighbors" in fields:
        example["neighbors"] = np.stack([_decode_image(frame) for frame in stored["neighbors"]])
    if "label" in fields:
        example["label"] = _decode(stored["label"], cv2.IMREAD_UNCHANGED)
    if "depth" in fields:
        units = _decode(stored["depth"], cv2.IMREAD_UNCHANGED)
        example["depth"] = units.astype(np.float32) / np.float32(DEPTH_SCALE)
    if "pose" in fields:
        example["pose"] = np.asarray(stored["pose"], np.float32)
    return example


def check(example: dict[str, Any], spec: DatasetSpec) -> None:
    """Raises a ValueError naming the file (or sample) unless the example keeps its description's promise."""
    files = example.get("files", {})

    def which(field: str) -> str:
        path = files.get(field)
        return f"{field} '{path}'" if path else f"{field} of {example['name']!r}"

    for field in ("depth", "pose"):
        if field in spec.fields and example.get(field) is None:
            raise ValueError(f"{which(field)} is missing; {spec.name!r} declares it for every sample")
    size = example["image"].shape[:2]
    frames = example.get("neighbors", ())
    if len(frames) not in (0, NEIGHBORS):
        raise ValueError(f"{example['name']!r} has {len(frames)} neighbors; expected {NEIGHBORS} or none")
    maps = {field: example[field] for field in ("label", "depth") if example.get(field) is not None}
    for field, value in [*maps.items(), *(("neighbors", frame) for frame in frames)]:
        if value.shape[:2] != size:
            found, wanted = (f"{h}x{w}" for h, w in (value.shape[:2], size))
            raise ValueError(f"{which(field)} is {found} but {which('image')} is {wanted} (h x w); make them equal")
    if "label" in maps:
        check_ids(maps["label"], spec.space, which("label"))


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
    if image.shape[:2] == size:
        return image
    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


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


def _decode_image(content: bytes) -> np.ndarray:
    return _decode(content, cv2.IMREAD_COLOR_RGB)
