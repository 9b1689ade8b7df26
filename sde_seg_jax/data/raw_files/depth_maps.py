"""Maps of depth, inverse depth or disparity that other programs wrote: 16-bit PNG, .npy, .npz, .pfm."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import cv2
import numpy as np

from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.image_files import open_image

SUFFIXES = (".npy", ".npz", ".pfm", ".png")
ENDINGS = ("", "_depth", "_disp", "_disparity")  # that programs add to the name of the image


def find(folder: pathlib.Path, names: list[str]) -> Mapping[str, pathlib.Path]:
    """The file of each sample that has one: DIR/NAME.npy, DIR/NAME_depth.png, ...; names may have folders.

    Raises ValueError for a sample with two.
    """
    files: dict[str, list[pathlib.Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            files.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append(path)
    found = {}
    for name in names:
        mine = [path for ending in ENDINGS for path in files.get(name + ending, [])]
        if len(mine) > 1:
            raise ValueError(f"sample '{name}' has two maps, '{mine[0]}' and '{mine[1]}': remove one of them")
        if mine:
            found[name] = mine[0]
    return found


def read(path: pathlib.Path) -> np.ndarray:
    """The values of a map, float32 [H,W], as they are in the file. Raises ValueError that names it."""
    try:
        values = _READERS[path.suffix.lower()](path)
    except raw.BROKEN as error:
        raise ValueError(f"cannot read '{path}': {error}") from error
    values = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
    values = values[0] if values.ndim == 3 and values.shape[0] == 1 else values
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fui":
        raise ValueError(f"'{path}' holds {values.dtype} {list(values.shape)}; expected one number a pixel, [H,W]")
    return values.astype(np.float32)


def _png(path: pathlib.Path) -> np.ndarray:
    with open_image(path, ("PNG",)) as image:
        if not image.mode.startswith("I"):
            raise ValueError(f"it is a picture ({image.mode}, 8 bits a channel); expected one channel of 16 bits")
        return np.asarray(image)


def _npy(path: pathlib.Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _npz(path: pathlib.Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        if len(arrays.files) != 1:
            raise ValueError(f"it holds {len(arrays.files)} arrays ({', '.join(arrays.files)}); expected one")
        return arrays[arrays.files[0]]


def _pfm(path: pathlib.Path) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise ValueError("it is broken, or no PFM file")
    return found


_READERS = {".png": _png, ".npy": _npy, ".npz": _npz, ".pfm": _pfm}


def nearness(values: np.ndarray, kind: str) -> np.ndarray:
    """Values of a map as float32 [H,W], larger where nearer; NaN where there is none.

    kind: "depth" in metres and "inverse" in 1/m become 1/m; "disparity" of any unit stays.
    """
    if kind == "disparity":
        return np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    valid = np.isfinite(values) & (values > 0)
    return (
        np.divide(1, values, where=valid, out=np.full(values.shape, np.nan, np.float32))
        if kind == "depth"
        else (np.where(valid, values, np.nan).astype(np.float32))
    )


def disparity(near_values: np.ndarray, kind: str, near: float) -> np.ndarray:
    """`nearness` as float32 [H,W] in [0,1], NaN where there is none.

    near / depth, so that what is `near` metres away or nearer is 1; of kind "disparity" stretched to [0,1].
    """
    if kind != "disparity":
        return np.clip(near * near_values, 0, 1)
    known = near_values[np.isfinite(near_values)]
    low, high = (known.min(), known.max()) if known.size else (0, 0)
    return (near_values - low) / (high - low) if high > low else near_values - low
