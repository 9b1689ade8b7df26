"""Files of weights as they are published: `.safetensors`, `.npz`, PyTorch's `.pth`, `.bin`, ..., and folders of them.

Every state comes under the names of the published joint model (docs/weights.md): `models.encoder...`.
"""

from __future__ import annotations

import numbers
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sde_seg_jax.models.weight_names import joint_names, translated, unpacked
from sde_seg_jax.models.weight_readers import EPOCH, INDEX, KNOWN, WeightsError, kind_of, read_content, shards

__all__ = [
    "KNOWN",
    "PART_FILES",
    "Weights",
    "WeightsError",
    "holds_weights",
    "kind_of",
    "read_state",
    "read_weights",
    "shards",
    "write_state",
]

NOT_WEIGHTS = ("height", "width", "use_stereo")  # beside the tensors in monodepth2's encoder.pth
JOINT_FILES = ("best_model.pkl", "best_model_without_opt.pkl")
PART_FILES = ("encoder", "depth", "pose_encoder", "pose")  # a monodepth2-style folder, one file a part
PART_SUFFIXES = (".safetensors", ".pth", ".pth.tar")
HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # of a folder of the hub, or in parts, with an index
DROPPED = r"models\.imnet_encoder\.|models\.(pose_)?encoder\.encoder\.fc\."  # frozen copy; ImageNet's classifier


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
    found = [next((path / f"{p}{s}" for s in PART_SUFFIXES if (path / f"{p}{s}").is_file()), None) for p in PART_FILES]
    alone = [*JOINT_FILES, *(() if any(found) else (f"{name}{end}" for name in HUB_FILES for end in ("", INDEX)))]
    for name in alone:
        if (path / name).is_file():
            return _read_file(path / name)
    if not any(found):
        wanted = ", ".join((*JOINT_FILES, *(f"{part}.pth" for part in PART_FILES), *HUB_FILES))
        raise WeightsError(f"folder {path} holds neither a checkpoint nor any of {wanted}; name the file itself")
    read = [_read_file(file) for file in found if file]
    return Weights({name: value for one in read for name, value in one.state.items()}, max(one.step for one in read))


def holds_weights(folder: str | pathlib.Path) -> bool:
    """Does a folder have a file that `read_weights` looks for?"""
    names = [*JOINT_FILES, *(part + suffix for part in PART_FILES for suffix in PART_SUFFIXES)]
    names += [name + end for name in HUB_FILES for end in ("", INDEX)]
    return any((pathlib.Path(folder) / name).is_file() for name in names)


def write_state(path: pathlib.Path, state: Mapping[str, np.ndarray], step: int) -> None:
    """A state as `.safetensors`, under its own names."""
    from safetensors.numpy import save

    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = {name: np.array(value, order="C") for name, value in state.items()}  # the format has no strides
    content = save(ordered, metadata={"format": "pt", EPOCH: str(step)})
    path.write_bytes(content)  # its own save_file makes a file that nobody else may read


def _read_file(path: pathlib.Path) -> Weights:
    content = read_content(path)
    step, kind = content.get(EPOCH, 0), kind_of(path)
    state = {}
    content = {name: value for name, value in unpacked(content).items() if name not in (*NOT_WEIGHTS, EPOCH)}
    content = translated(content)
    for name, joint in joint_names(content, path.name[: -len(kind)]).items():
        value = content[name]
        if not isinstance(value, np.ndarray):
            raise WeightsError(f"{path}: '{name}' is no tensor but {type(value).__name__}; save a state_dict() alone")
        if joint in state:
            raise WeightsError(f"{path} holds '{joint}' twice, under other prefixes; save one network's state_dict()")
        if not re.match(DROPPED, joint):
            state[joint] = value
    if not state:
        raise WeightsError(f"{path} holds no tensor; save a network's state_dict() into it")
    return Weights(state, _step(step))


def _step(found: Any) -> int:
    """A number of updates; 0 for what is none."""
    return int(found) if isinstance(found, numbers.Real) and 0 <= found < 2**31 else 0
