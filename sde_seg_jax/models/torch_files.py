"""Reads PyTorch's own files without PyTorch: tensors as NumPy arrays, everything else as it lies there.

Both layouts of torch.save: an archive (since 1.6) and a row of pickles before the raw numbers. Nothing is executed: of
all that a pickle may name, only what PLAIN lists is made, and that by functions of this file.
"""

from __future__ import annotations

import collections
import math
import pathlib
import pickle
import zipfile
from collections.abc import Callable
from typing import IO, Any

import ml_dtypes
import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # the first two pickles of the older layout
KINDS = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": ml_dtypes.bfloat16,
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}


class NeedsTorch(Exception):
    """What this file does not read, though PyTorch may: quantised or sparse tensors, rare kinds of numbers."""


class Storage(str):
    """The numbers that tensors share: the name of their kind, as "FloatStorage"."""


class _Kind:
    """Stands for numpy.dtype in a pickle."""

    def __init__(self, name: str, *_: Any):
        self.dtype = np.dtype(name)
        if self.dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"GLOBAL numpy.dtype {name}")

    def __setstate__(self, state: Any) -> None:
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


def _tensor(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_: Any) -> np.ndarray:
    """A view of a storage. Raises UnpicklingError where it would reach beyond."""
    if len(shape) != len(strides) or min((offset, *shape, *strides)) < 0:
        raise pickle.UnpicklingError("a tensor's shape and strides do not belong together")
    reach = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + 1
    if math.prod(shape) and reach > storage.size:
        raise pickle.UnpicklingError("a tensor is larger than its storage")
    steps = tuple(step * storage.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)


PLAIN: dict[tuple[str, str], Callable] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda value, *_: value,
    ("torch", "Size"): tuple,
    ("torch", "device"): lambda *parts: ":".join(map(str, parts)),
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "scalar"): lambda kind, data: np.frombuffer(data, kind.dtype, 1)[0],
    ("numpy._core.multiarray", "scalar"): lambda kind, data: np.frombuffer(data, kind.dtype, 1)[0],
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
}


class _Reader(pickle.Unpickler):
    """An unpickler that makes nothing but what PLAIN lists, and storages by `storage(kind, key, count)`."""

    def __init__(self, file: IO[bytes], storage: Callable[[np.dtype, str, int], np.ndarray]):
        super().__init__(file, encoding="utf-8")
        self.storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name.endswith("Storage"):
            return Storage(name)
        if (module, name) in PLAIN:
            return PLAIN[module, name]
        if module == "torch._utils":
            raise NeedsTorch(f"a tensor of {module}.{name}")
        raise pickle.UnpicklingError(f"GLOBAL {module}.{name}")  # as PyTorch says it

    def persistent_load(self, pid: Any) -> np.ndarray:
        tag, kind, key, _, count, *_ = pid
        if tag != "storage" or not isinstance(kind, Storage):
            raise pickle.UnpicklingError("what stands for a storage is none")
        if kind.removesuffix("Storage") not in KINDS:
            raise NeedsTorch(f"a {kind}")
        return self.storage(np.dtype(KINDS[kind.removesuffix("Storage")]), str(key), int(count))


def load(path: pathlib.Path) -> Any:
    """What torch.save wrote into a file. Raises NeedsTorch, and whatever a damaged file makes of it.

    UnpicklingError with `GLOBAL name`: the file names what is not made.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _archive(archive)
    with path.open("rb") as file:
        return _row(file, path.stat().st_size)


def _archive(archive: zipfile.ZipFile) -> Any:
    names = {name.partition("/")[2]: name for name in archive.namelist()}
    if "data.pkl" not in names or "constants.pkl" in names:
        raise pickle.UnpicklingError("no archive of torch.save")
    order = archive.read(names["byteorder"]) if "byteorder" in names else b"little"
    found: dict[str, np.ndarray] = {}

    def storage(kind: np.dtype, key: str, count: int) -> np.ndarray:
        if key not in found:
            numbers = np.frombuffer(archive.read(names[f"data/{key}"]), kind, count)
            found[key] = numbers.byteswap() if order == b"big" else numbers
        return found[key]

    with archive.open(names["data.pkl"]) as file:
        return _Reader(file, storage).load()


def _row(file: IO[bytes], size: int) -> Any:
    """The older layout: magic number, version, the writer's machine, the content, keys, and the numbers of each key."""
    found: dict[str, np.ndarray] = {}

    def storage(kind: np.dtype, key: str, count: int) -> np.ndarray:
        if count < 0 or count * kind.itemsize > size:
            raise pickle.UnpicklingError("a storage is larger than the file")
        return found.setdefault(key, np.empty(count, kind))

    head = [_Reader(file, storage).load() for _ in range(3)]
    if head[:2] != [MAGIC, PROTOCOL] or not head[2].get("little_endian", True):
        raise pickle.UnpicklingError("no file of torch.save on a little-endian machine")
    content = _Reader(file, storage).load()
    for key in _Reader(file, storage).load():
        numbers = found[key]
        if int.from_bytes(file.read(8), "little") != numbers.size:
            raise pickle.UnpicklingError("a storage has another length than the file tells")
        numbers.view(np.uint8)[:] = np.frombuffer(file.read(numbers.nbytes), np.uint8)
    return content
