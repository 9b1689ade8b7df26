"""One stored example: checked, resized to the stored size, and coded as image files; and back to arrays.

Decoding happens here only: all readers return the same bits. What the fields are: `fields.FIELDS`; how each kind is
coded: `codings`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.fields import FIELDS, STORED_FIELDS
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.data.stored.codings import CODINGS, Format, read_image, resize_image, write_image
from sde_seg_jax.data.window import Window
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import Intrinsics

LOADED = ("image", "intrinsics", "name")  # what a description's load() must give
RESIZE = "lanczos"  # of images; labels and depth take the nearest pixel


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
      ValueError: it cannot be loaded, sizes differ, or ids are outside the label space.
    """
    space = space or spec.space
    example = load(spec, item, size)
    check(example, spec, space)
    here = tuple(field for field in spec.fields if example.get(field) is not None and len(example[field]))
    form = Format(size, image_format, space.ignore)
    stored = {
        "image": write_image(resize_image(example["image"], size), form),
        "intrinsics": _resize_intrinsics(example["intrinsics"], example["image"].shape[:2], size),
        "name": example["name"],
        "labeled": "label" in here,
    }
    pixels = np.zeros(space.num_classes + 1, np.int64)
    for field in (field for field in STORED_FIELDS if field in spec.fields):
        values = _resized(field, example[field] if field in here else None, form)
        if field == "label" and field in here:
            pixels[:] = _count(values[0], space)
        written = [CODINGS[FIELDS[field].coding].write(value, form) for value in values]
        stored[field] = written if FIELDS[field].frames else written[0]
    return Coded(stored, here, pixels)


def load(spec: DatasetSpec, item: Any, size: Size) -> dict[str, Any]:
    """The example of an item, as its description loads it.

    Raises ValueError that names data set and item if that fails; OSError for a file that cannot be read.
    """
    try:
        example = spec.load(item, size)
    except (ValueError, OSError):  # a reader's, which name the file
        raise
    except Exception as error:  # of a description that somebody writes
        raise ValueError(
            f"load() of data set '{spec.name}' failed for {item!r}: {type(error).__name__}: {error}"
        ) from error
    missing = [name for name in LOADED if example.get(name) is None]
    if missing:
        raise ValueError(f"load() of data set '{spec.name}' gave no {', '.join(missing)} for {item!r}; add what lacks")
    return example


def decode(stored: dict[str, Any], fields: Sequence[str], window: Window | None = None) -> dict[str, Any]:
    """Turns a stored example into arrays: image, intrinsics, name, labeled, and the optional `fields`.

    Of the maps only `window` is returned, and of JPEG files little more is decoded; the intrinsics are always those of
    the whole image.
    """
    name = stored["name"]
    example = {
        "image": read_image(stored["image"], window),
        "intrinsics": np.asarray(stored["intrinsics"], np.float32),
        "name": name if isinstance(name, str) else bytes(name).decode(),
        "labeled": np.bool_(stored["labeled"]),
    }
    for field in (field for field in STORED_FIELDS if field in fields):
        kind = FIELDS[field]
        read = CODINGS[kind.coding].read
        found = [read(one, kind, window) for one in _parts(stored, field)]
        example[field] = np.stack(found) if kind.frames else found[0]
    return example


def check(example: dict[str, Any], spec: DatasetSpec, space: LabelSpace | None = None) -> None:
    """Raises a ValueError naming the file (or sample) unless the example keeps its description's promise.

    `space` replaces that of `spec`, which may have none.
    """
    files = example.get("files", {})

    def which(field: str) -> str:
        path = files.get(field)
        return f"{field} '{path}'" if path else f"{field} of {example['name']!r}"

    image, label = example["image"], example.get("label")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"{which('image')} is {_kind(image)}; expected RGB uint8 [H, W, 3], values 0 to 255")
    if label is not None and (label.dtype.kind not in "iu" or label.ndim != 2):
        raise ValueError(f"{which('label')} is {_kind(label)}; expected whole numbers [H, W], a class id a pixel")
    size = image.shape[:2]
    maps = [field for field in STORED_FIELDS if FIELDS[field].is_map and example.get(field) is not None]
    maps.sort(key=lambda field: FIELDS[field].frames)  # what is wrong with a single map comes first
    for field in (field for field in maps if FIELDS[field].frames):
        count, expected = len(example[field]), FIELDS[field].shape[0]
        if count not in (0, expected):
            raise ValueError(f"{example['name']!r} has {count} {field}; expected {expected} or none")
    for field, value in [(name, value) for name in maps for value in _parts(example, name)]:
        if value.shape[:2] != size:
            found, wanted = (f"{h}x{w}" for h, w in (value.shape[:2], size))
            raise ValueError(f"{which(field)} is {found} but {which('image')} is {wanted} (h x w); make them equal")
    if "label" in maps:
        check_ids(example["label"], space or spec.space, which("label"))


def _kind(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"


def check_ids(label: np.ndarray, space: LabelSpace, where: str) -> None:
    """Raises a ValueError listing the ids outside 0..C-1 (and the ignore id)."""
    ids = np.unique(label)
    wrong = ids[((ids < 0) | (ids >= space.num_classes)) & (ids != space.ignore)]
    if wrong.size:
        raise ValueError(
            f"{where} has ids {wrong.tolist()} outside label space {space.name!r} "
            f"(0..{space.num_classes - 1}, {space.ignore} = ignore); map them to one of these"
        )


def _parts(example: dict[str, Any], field: str) -> Sequence[Any]:
    """The frames of a field that has them; else its one value."""
    return example[field] if FIELDS[field].frames else [example[field]]


def _resized(field: str, value: Any, form: Format) -> list[np.ndarray]:
    """The maps or the array of numbers at the stored size; what stands for them if a sample lacks them."""
    kind = FIELDS[field]
    coding = CODINGS[kind.coding]
    if kind.frames:
        return [coding.resize(frame, form.size) for frame in (() if value is None else value)]
    return [coding.absent(kind, form) if value is None else coding.resize(value, form.size)]


def _count(label: np.ndarray, space: LabelSpace) -> np.ndarray:
    known = label[label != space.ignore]
    counts = np.bincount(known.astype(np.int64), minlength=space.num_classes)
    return np.array([*counts, label.size - known.size], np.int64)


def _resize_intrinsics(intrinsics, from_size: Size, to_size: Size) -> np.ndarray:
    raw = Intrinsics(*(np.array([value], np.float64) for value in intrinsics))
    stored = camera.resize(raw, tuple(from_size), tuple(to_size))
    return np.array([stored.fx[0], stored.fy[0], stored.cx[0], stored.cy[0]], np.float32)
