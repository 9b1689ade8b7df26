"""What is inside a file of weights: arrays by name and what lies beside them, and one line for all that goes wrong.

Only data is read, never code: pickles go through `torch.load(weights_only=True)`, or without PyTorch through
models/torch_files.py.
"""

from __future__ import annotations

import json
import pathlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sde_seg_jax.models import torch_files
from sde_seg_jax.models.import_weights import read_npz
from sde_seg_jax.models.weight_names import CONTAINERS

TORCH = (".pth", ".pt", ".pkl", ".pth.tar", ".bin", ".ckpt")
INDEX = ".index.json"  # of a state in several files, beside them
KNOWN = (".safetensors", ".npz", *TORCH, INDEX)
EPOCH = "epoch"
AGAIN = "get the file again"
SAVE = "save the state_dict() alone with PyTorch, or as .safetensors, where you trust it"
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch.save began its files before 1.6
SHOWN = 150  # characters of a library's reason
SINGLE = "save it as float32"


class WeightsError(ValueError):
    """A file of weights that cannot be used; the message names it and the remedy, in one line."""

    def __init__(self, message: str):
        line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message)
        super().__init__(line)


def kind_of(path: str | pathlib.Path) -> str:
    """The ending among KNOWN that a name has, the longest; "" if it has none."""
    name = pathlib.PurePath(path).name.lower()
    return max((kind for kind in KNOWN if name.endswith(kind)), key=len, default="")


def read_content(path: pathlib.Path) -> dict[str, Any]:
    """What a file holds, tensors as arrays: float32, integers as they are. Raises WeightsError."""
    read: Callable[[pathlib.Path], dict[str, Any]] = _read_torch
    read = {".safetensors": _read_safetensors, ".npz": _read_arrays, INDEX: _read_sharded}.get(kind_of(path), read)
    try:
        require_readable(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats: nothing that a person could act on
            return read(path)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged file makes the libraries raise, MemoryError too
        raise damaged(path, error) from error


def require_readable(path: pathlib.Path) -> None:
    """Raises WeightsError for a file that cannot hold weights, from its name and first bytes."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file or folder; check the path")
    if not kind_of(path):
        raise WeightsError(f"{path}: unknown kind of weights file '{path.suffix}'; known: {', '.join(KNOWN)}")
    try:
        with path.open("rb") as file:
            start = file.read(512).lstrip()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error
    if start[:1] == b"<":
        raise WeightsError(f"{path} is a web page, not weights (a dead or guarded link); {AGAIN} in a browser")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a git-lfs pointer, not the weights; run 'git lfs pull' there, or {AGAIN}")
    if not start:
        raise WeightsError(f"{path} is empty; {AGAIN}")
    if start[:2] == b"PK" and not zipfile.is_zipfile(path):
        raise WeightsError(f"{path} is cut short; {AGAIN}")


def shards(index: pathlib.Path) -> dict[str, list[str]]:
    """File beside an index -> the names it gives. Raises WeightsError if that is not what the index tells."""
    try:
        names = json.loads(index.read_text(encoding="utf-8-sig"))["weight_map"]
        files: dict[str, list[str]] = {}
        for name, file in names.items():
            if pathlib.PurePath(file.replace("\\", "/")).name != file:
                raise ValueError(f"{file!r} is no name of a file beside it")
            files.setdefault(file, []).append(name)
    except Exception as error:
        raise WeightsError(f"{index} is no index of weights ({_reason(error)}); {AGAIN}") from error
    return files


def damaged(path: pathlib.Path, error: Exception) -> WeightsError:
    """Of a file that a library cannot read."""
    return WeightsError(f"{path} is damaged or not what its name says ({_reason(error)}); {AGAIN}")


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:SHOWN]


def _read_sharded(path: pathlib.Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file, names in shards(path).items():
        if kind_of(file) in ("", INDEX):
            raise WeightsError(f"{path} names '{file}', no file of weights; {AGAIN}")
        part = path.parent / file
        if not part.is_file():
            raise WeightsError(f"{path} lacks its part '{file}' beside it; get all its parts")
        content = read_content(part)
        if missing := next((name for name in names if name not in content), None):
            raise WeightsError(f"{part} lacks '{missing}', which {path.name} says it holds; get both again")
        found |= {name: content[name] for name in names}
    return found


def _read_safetensors(path: pathlib.Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(str(path), framework="np") as file:
        found = {}
        for name in file.keys():  # noqa: SIM118
            kind = file.get_slice(name).get_dtype()
            if kind.startswith(("F8", "F4", "F6", "C")):
                raise _refused(path, name, f"of kind {kind}", SINGLE)
            found[name] = _single(path, name, file.get_tensor(name))
        step = (file.metadata() or {}).get(EPOCH, "0")
    return {**found, EPOCH: int(step) if step.isdecimal() and len(step) < 10 else 0}


def _read_arrays(path: pathlib.Path) -> dict[str, Any]:
    return {name: _single(path, name, value) for name, value in read_npz(path).items()}


def _read_torch(path: pathlib.Path) -> dict[str, Any]:
    with path.open("rb") as file:
        start = file.read(len(OLD_TORCH))
    if start[:1] == OLD_TORCH[:1] and start != OLD_TORCH:
        raise WeightsError(f"{path} is a plain pickle, which can run code when read, and is refused: {SAVE}")
    try:
        content, tensor = _load(path)
    except torch_files.NeedsTorch as error:
        raise WeightsError(f"{path} holds {error}, which PyTorch is needed for: pip install torch") from error
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL ([\w.]+)|[Uu]nsupported (?:global|class) ([\w.]+)", str(error))
        if not refused:
            raise
        code = refused.group(1) or refused.group(2)
        raise WeightsError(f"{path} would run code when read ({code}) and is refused: {SAVE}") from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, no tensors by name; save a state_dict() into it")
    return _arrays(path, content, tensor)


def _load(path: pathlib.Path) -> tuple[Any, type]:
    """(content, the class of its tensors)."""
    try:
        import torch
    except ImportError:
        return torch_files.load(path), np.ndarray
    with torch.serialization.safe_globals(_numpy_scalars()):
        return torch.load(path, map_location="cpu", weights_only=True), torch.Tensor


def _arrays(path: pathlib.Path, content: Mapping, tensor: type) -> dict[str, Any]:
    """Tensors as arrays, in the containers too; everything else as it is."""
    found = {}
    for name, value in content.items():
        if isinstance(value, tensor):
            value = _single(path, name, value if isinstance(value, np.ndarray) else _array(path, name, value.detach()))
        elif isinstance(value, Mapping) and name in CONTAINERS:
            value = _arrays(path, value, tensor)
        found[str(name)] = value
    return found


def _array(path: pathlib.Path, name: str, tensor) -> np.ndarray:
    if tensor.is_quantized:
        raise _refused(path, name, "quantised", "save tensor.dequantize()")
    if str(tensor.layout) != "torch.strided":
        raise _refused(path, name, f"stored as {str(tensor.layout).removeprefix('torch.')}", "save tensor.to_dense()")
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_complex() or kind.startswith(("float8", "float4")):
        raise _refused(path, name, f"of kind {kind}", SINGLE)
    if tensor.device.type == "meta":
        raise _refused(path, name, "without values", "save the network after its weights are loaded")
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _numpy_scalars() -> list:
    """What NumPy's scalars are pickled as: `best_iou` beside the weights is one, under either of the two names."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64)]
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *kinds]


def _single(path: pathlib.Path, name: str, value: Any) -> np.ndarray:
    """Floating point of 16 bits and more as float32; integers (counters) as they are."""
    if not isinstance(value, np.ndarray):
        raise WeightsError(f"{path}: '{name}' is no array but {type(value).__name__}; save arrays alone")
    if value.dtype.kind in "iub":
        return value
    if value.dtype.kind == "f" or value.dtype.name == "bfloat16":
        with np.errstate(over="ignore"):  # infinite then, which is told where it is used
            return value.astype(np.float32, copy=False)
    raise _refused(path, name, f"of kind {value.dtype.name}", SINGLE)


def _refused(path: pathlib.Path, name: str, what: str, remedy: str) -> WeightsError:
    return WeightsError(f"{path}: '{name}' is {what}, which cannot be used; {remedy}")
