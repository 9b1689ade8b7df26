"""Weights of our networks in PyTorch's: the modules have equal names, so only layouts and leaves differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from sde_seg_jax.types import Variables

_LEAVES = {  # others have the same name
    **{"kernel": "weight", "scale": "weight", "transposed": "weight"},
    **{"mean": "running_mean", "var": "running_var"},
}
COUNTER = "num_batches_tracked"  # has no counterpart: with a constant momentum nothing reads it


def load(module: torch.nn.Module, variables: Variables) -> None:
    """Copies parameters and running statistics into `module`, whatever its dtype and device.

    Raises RuntimeError that lists them if a name lacks its counterpart on either side, or a shape differs.
    """
    arrays = named(variables.params) | named(variables.batch_stats)
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    state |= {name: torch.zeros_like(value) for name, value in module.state_dict().items() if name.endswith(COUNTER)}
    module.load_state_dict(state)


def named(tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """PyTorch's names and layouts of a tree of parameters, their gradients, or running statistics.

    Kernels are OIHW, those of transposed convolutions IOHW, those of linear layers OI.
    """
    return {".".join((*path, leaf_name(leaf))): _layout(leaf, value) for (*path, leaf), value in _leaves(tree)}


def leaf_name(leaf: str) -> str:
    """PyTorch's name of a leaf of ours."""
    return _LEAVES.get(leaf, leaf)


def _layout(leaf: str, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if leaf == "transposed":
        array = array.transpose(2, 3, 0, 1)
    elif leaf == "kernel":
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
    return np.array(array, order="C")


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value
