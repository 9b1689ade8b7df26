"""Files of weights as they are published: `.safetensors`, `.npz`, PyTorch's `.pth`, `.pt`, `.pkl`, and folders of them.

Only data is read, never code: pickles go through `torch.load(weights_only=True)`. PyTorch is needed for its own
formats alone. Every state comes under the names of the published joint model (docs/weights.md): `models.encoder...`.
"""

from __future__ import annotations

import contextlib
import pathlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sde_seg_jax.models.import_weights import read_npz

TORCH = (".pth", ".pt", ".pkl")
KNOWN = (".safetensors", ".npz", *TORCH)
CONTAINERS = ("model_state", "state_dict")  # keys under which a file with more than weights holds them
NOT_WEIGHTS = ("height", "width", "use_stereo")  # beside the tensors in monodepth2's encoder.pth
JOINT_FILES = ("best_model.pkl", "best_model_without_opt.pkl")
PART_FILES = ("encoder", "depth", "pose_encoder", "pose")  # a monodepth2-style folder, one file a part
PART_SUFFIXES = (".safetensors", ".pth")
EPOCH = "epoch"
AGAIN = "get the file again"
SAVE = "save the state_dict() alone with PyTorch, or as .safetensors, where you trust it"
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch.save began its files before 1.6

# how names begin -> what comes before them in the joint model; the first that matches
CANONICAL = (
    (r"models\.", ""),
    (r"encoder\.(conv1|bn1|layer\d|fc)\b", "models.encoder."),
    (r"(conv1|bn1|layer\d|fc)\b", "models.encoder.encoder."),  # torchvision's and timm's ResNets
    (r"decoder\.", "models.depth."),
    (r"net\.", "models.pose."),
)
DROPPED = r"models\.imnet_encoder\.|models\.(pose_)?encoder\.encoder\.fc\."  # frozen copy; ImageNet's classifier


class WeightsError(ValueError):
    """A file of weights that cannot be used; the message names it and the remedy."""


class Weights(NamedTuple):
    """Arrays (float32) by name in the joint model, and the number of updates behind them (0: unknown)."""

    state: dict[str, np.ndarray]
    step: int = 0


def read_state(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """The weights of a file or folder under the names of the joint model. Raises WeightsError."""
    return read_weights(path).state


def read_weights(path: str | pathlib.Path) -> Weights:
    """As `read_state`, with the step. In a folder a joint file comes before files of parts, safetensors before pth.

    Left out are ImageNet's classifier (`fc`), the frozen `imnet_encoder` and the optimiser's state.
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_dir():
        return _read_file(path)
    for name in JOINT_FILES:
        if (path / name).is_file():
            return _read_file(path / name)
    found = [next((path / f"{p}{s}" for s in PART_SUFFIXES if (path / f"{p}{s}").is_file()), None) for p in PART_FILES]
    if not any(found):
        wanted = ", ".join((*JOINT_FILES, *(f"{part}.pth" for part in PART_FILES)))
        raise WeightsError(f"folder {path} holds neither a checkpoint nor any of {wanted}; name the file itself")
    read = [_read_file(file) for file in found if file]
    return Weights({name: value for one in read for name, value in one.state.items()}, max(one.step for one in read))


def holds_weights(folder: str | pathlib.Path) -> bool:
    """Does a folder have a file that `read_weights` looks for?"""
    names = [*JOINT_FILES, *(part + suffix for part in PART_FILES for suffix in PART_SUFFIXES)]
    return any((pathlib.Path(folder) / name).is_file() for name in names)


def write_state(path: pathlib.Path, state: Mapping[str, np.ndarray], step: int) -> None:
    """A state as `.safetensors`, under its own names."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = {name: np.array(value, order="C") for name, value in state.items()}  # the format has no strides
    save_file(ordered, str(path), metadata={"format": "pt", EPOCH: str(step)})


def _read_file(path: pathlib.Path) -> Weights:
    _require_readable(path)
    read = {".safetensors": _read_safetensors, ".npz": _read_arrays}.get(path.suffix.lower(), _read_torch)
    content = read(path)
    step = content.get(EPOCH, 0)
    for key in CONTAINERS:
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    state = {}
    for name, value in content.items():
        if name in NOT_WEIGHTS or name == EPOCH:
            continue
        if not isinstance(value, np.ndarray):
            raise WeightsError(f"{path}: '{name}' is no tensor but {type(value).__name__}; save a state_dict() alone")
        name = canonical(str(name).removeprefix("module."), path.stem)
        if not re.match(DROPPED, name):
            state[name] = value
    if not state:
        raise WeightsError(f"{path} holds no tensor; save a network's state_dict() into it")
    return Weights(state, int(step) if np.isscalar(step) else 0)


def canonical(name: str, stem: str) -> str:
    """The name in the joint model of a name in the file `stem`; unchanged if it is none of the known kinds."""
    for start, prefix in CANONICAL:
        if re.match(start, name):
            if stem == "pose_encoder":  # both encoders are saved under the same names
                prefix = prefix.replace("models.encoder.", "models.pose_encoder.")
            return prefix + name
    return name


def _require_readable(path: pathlib.Path) -> None:
    """Raises WeightsError for a file that cannot hold weights, from its name and first bytes."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file or folder; check the path")
    if path.suffix.lower() not in KNOWN:
        raise WeightsError(f"{path}: unknown kind of weights file '{path.suffix}'; known: {', '.join(KNOWN)}")
    with path.open("rb") as file:
        start = file.read(512).lstrip()
    if start[:1] == b"<":
        raise WeightsError(f"{path} is a web page, not weights (a dead or guarded link); {AGAIN} in a browser")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a git-lfs pointer, not the weights; run 'git lfs pull' there, or {AGAIN}")
    if not start:
        raise WeightsError(f"{path} is empty; {AGAIN}")
    if start[:2] == b"PK" and not zipfile.is_zipfile(path):
        raise WeightsError(f"{path} is cut short; {AGAIN}")


def _read_safetensors(path: pathlib.Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            found = {name: _float32(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
            step = (file.metadata() or {}).get(EPOCH, "0")
    except SafetensorError as error:
        raise _damaged(path, error) from error
    return {**found, EPOCH: int(step) if step.isdigit() else 0}


def _read_arrays(path: pathlib.Path) -> dict[str, Any]:
    try:
        found = read_npz(path)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    return {name: _float32(value) for name, value in found.items()}


def _read_torch(path: pathlib.Path) -> dict[str, Any]:
    torch = _torch(path)
    with path.open("rb") as file:
        start = file.read(len(OLD_TORCH))
    if start[:1] == OLD_TORCH[:1] and start != OLD_TORCH:
        raise WeightsError(f"{path} is a plain pickle, which can run code when read, and is refused: {SAVE}")
    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL ([\w.]+)|[Uu]nsupported (?:global|class) ([\w.]+)", str(error))
        if not refused:
            raise _damaged(path, error) from error
        code = refused.group(1) or refused.group(2)
        raise WeightsError(f"{path} would run code when read ({code}) and is refused: {SAVE}") from error
    except Exception as error:  # whatever a damaged archive makes PyTorch raise
        raise _damaged(path, error) from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, no tensors by name; save a state_dict() into it")
    return _to_numpy(content, torch)


def _torch(path: pathlib.Path):
    try:
        import torch
    except ImportError:
        raise WeightsError(
            f"{path}: PyTorch is needed to read {path.suffix} files: pip install torch, or convert the file to "
            ".safetensors on a machine that has it"
        ) from None
    return torch


def _to_numpy(content: Mapping, torch) -> dict[str, Any]:
    """Tensors as arrays, in the containers too; everything else as it is."""
    found = {}
    for name, value in content.items():
        if isinstance(value, torch.Tensor):
            value = value.detach()
            value = _float32((value.float() if value.is_floating_point() else value).numpy())
        elif isinstance(value, Mapping) and name in CONTAINERS:
            value = _to_numpy(value, torch)
        found[name] = value
    return found


def _numpy_scalars() -> list:
    """What NumPy's scalars are pickled as: `best_iou` beside the weights is one, under either of the two names."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64)]
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *kinds]


def _float32(value: np.ndarray) -> np.ndarray:
    """Floating point of any width as float32; integers (counters) as they are."""
    with contextlib.suppress(TypeError):
        return value if value.dtype.kind in "iub" else value.astype(np.float32, copy=False)
    return value


def _damaged(path: pathlib.Path, error: Exception) -> WeightsError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:150]
    return WeightsError(f"{path} is damaged or not what its name says ({reason}); {AGAIN}")
