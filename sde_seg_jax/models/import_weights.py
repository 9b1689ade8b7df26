"""Weights between PyTorch's names and layouts and our parameter trees, in NumPy alone.

A torch state is `{name: array}` as `state_dict()` saves it. A tree is `Variables` or any pair `params`,
`batch_stats` of nested dicts. Conversion is strict in both directions: names without a place, places without
a name and differing shapes are errors. `num_batches_tracked` has no counterpart with a constant momentum:
ignored here, zero there.
"""

import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from sde_seg_jax.models import resnet
from sde_seg_jax.models.backbones import torch_names
from sde_seg_jax.models.decoders import DECODERS
from sde_seg_jax.models.torch_layouts import LEAVES, from_torch, to_torch_layout, torch_shape
from sde_seg_jax.models.torch_names import (
    EncoderNames,
    gate_module,
    head_module,
    no_module,
    pose_module,
)
from sde_seg_jax.types import Variables

COUNTER = "num_batches_tracked"
SHOWN_PROBLEMS = 5

State = Mapping[str, np.ndarray]
ModuleName = Callable[[tuple[str, ...]], str]  # path of one of our modules -> name of PyTorch's


@dataclasses.dataclass(frozen=True)
class Part:
    """Where one torch module lives: its names start with `prefix`, its tree is at `path` of ours."""

    path: tuple[str, ...]
    prefix: str
    module_name: ModuleName
    ignore: str | None = None  # names (behind the prefix) that have no counterpart, as a regular expression
    misfit: Callable[[State, Mapping], str] | None = None  # (arrays behind the prefix, parameters) -> the remedy


def read_npz(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """A torch state stored as `.npz` under its own names. Pickled arrays are refused."""
    with pathlib.Path(path).open("rb") as file, np.load(file, allow_pickle=False) as data:
        return dict(data)


def network_from_torch(state: State, like: Variables, prefix: str = "models.", ignore: str | None = None) -> Variables:
    """Weights of a whole joint model (`model_state` of best_model.pkl), for the parts that `like` has.

    Names whose part after the prefix matches the regular expression `ignore` are left out, for example
    `"imnet_encoder"`, the frozen ImageNet encoder that SDE checkpoints carry along.
    """
    if ignore:
        state = {k: v for k, v in state.items() if not re.match(ignore, k.removeprefix(prefix))}
    return convert(state, like, network_parts(like, prefix))


def to_torch(variables: Variables, parts: list[Part]) -> dict[str, np.ndarray]:
    """The inverse: a torch state of these parts, loadable with `strict=True`."""
    state = {}
    for (_, *path), leaf in _leaves(variables):
        name, module = _torch_name(tuple(path), parts)
        state[name] = to_torch_layout(path[-1], np.asarray(leaf))
        if path[-1] == "var":
            state[f"{module}.{COUNTER}"] = np.zeros((), np.int64)
    return state


def encoder_part(path: tuple[str, ...] = (), prefix: str = "encoder.", like: Variables | None = None) -> Part:
    """The encoder at `path` of `like`; a residual network if there is none."""
    names = resnet.NAMES if like is None else encoder_names(_at(like.params, path))
    return Part(path, prefix, names.module, names.ignore, names.misfit)


def encoder_names(tree: Mapping) -> EncoderNames:
    """How PyTorch names the modules of an encoder's parameters. Raises ValueError if no backbone has such ones."""
    found = next((names for names in torch_names() if names.first in tree), None)
    if found is None:
        raise ValueError(f"no names of PyTorch are known for this encoder ({', '.join(tree)})")
    return found


def pose_decoder_part(path: tuple[str, ...] = (), prefix: str = "net.") -> Part:
    """A pose decoder at `path`."""
    return Part(path, prefix, pose_module)


def decoder_part(path: tuple[str, ...], prefix: str, like: Variables) -> Part:
    """A depth decoder at `path` of `like`; without disparity heads there, PyTorch's are ignored."""
    tree = _at(like.params, path)
    kinds = (DECODERS.find(name) for name in DECODERS.names())
    found = next((names for kind in kinds if hasattr(kind, "torch_names") and (names := kind.torch_names(tree))), None)
    if found is None:
        raise ValueError(f"no names of PyTorch are known for this decoder ({', '.join(tree)})")
    return Part(path, prefix, *found)


def segmentation_parts(path: tuple[str, ...], prefix: str, like: Variables) -> list[Part]:
    """A segmentation decoder and its head at `path` of `like`."""
    head = _at(like.params, (*path, "head"))
    return [
        decoder_part((*path, "decoder"), f"{prefix}unet_dec.decoder.", like),
        Part((*path, "head"), prefix, lambda module: head_module(module, head)),
    ]


def multitask_parts(path: tuple[str, ...], prefix: str, like: Variables) -> list[Part]:
    """Both decoders of the multi-task network and what connects them (best_model: prefix "models.mtl_decoder.")."""
    segmentation = (*path, "segmentation")
    return [
        decoder_part((*path, "depth_decoder"), f"{prefix}depth_dec.decoder.", like),
        decoder_part((*segmentation, "decoder"), f"{prefix}seg_dec.decoder.", like),
        Part((*segmentation, "classifier"), f"{prefix}seg_final_head.0", no_module),
        Part((*segmentation, "intermediate"), f"{prefix}seg_intermediate_head.0", no_module),
        Part((*path, "distillation", "depth"), f"{prefix}sa_depth.", gate_module),
        Part((*path, "distillation", "segmentation"), f"{prefix}sa_seg.", gate_module),
    ]


def network_parts(like: Variables, prefix: str = "models.") -> list[Part]:
    """All parts of a joint model that `like` has, under the names of best_model.pkl."""
    parts = [encoder_part(("encoder",), f"{prefix}encoder.encoder.", like)]
    if "distillation" in like.params:
        parts += multitask_parts((), f"{prefix}mtl_decoder.", like)
    elif "depth_decoder" in like.params:
        parts.append(decoder_part(("depth_decoder",), f"{prefix}depth.decoder.", like))
    if "segmentation" in like.params and "distillation" not in like.params:
        parts += segmentation_parts(("segmentation",), f"{prefix}segmentation.", like)
    if "pose" in like.params:
        parts.append(encoder_part(("pose", "encoder"), f"{prefix}pose_encoder.encoder.", like))
        parts.append(pose_decoder_part(("pose", "decoder"), f"{prefix}pose.net."))
    return parts


def convert(state: State, like: Variables, parts: list[Part]) -> Variables:
    """`like` with every leaf from `state` at its place in `parts`.

    Raises ValueError that lists the first names that are missing, left over or misshapen.
    """
    used, problems, new = set(), [], {"params": {}, "batch_stats": {}}
    for (collection, *path), leaf in _leaves(like):
        name, _ = _torch_name(tuple(path), parts)
        if name not in state:
            problems.append(f"missing: {name}")
            continue
        used.add(name)
        value = from_torch(path[-1], np.asarray(state[name]))
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            problems.append(f"{name}: has numbers that are not finite")
        if value.shape != tuple(leaf.shape):
            expected = torch_shape(path[-1], tuple(leaf.shape))
            problems.append(f"{name}: shape {state[name].shape}, expected {expected}")
        _put(new[collection], path, value)
    left = sorted(set(state) - used)
    problems += [f"left over: {name}" for name in left if not _ignored(name, parts)]
    if problems:
        shown = "; ".join(problems[:SHOWN_PROBLEMS]) + ("; ..." if len(problems) > SHOWN_PROBLEMS else "")
        remedy = next((f". {text}" for part in parts if (text := _misfit(part, state, like))), "")
        raise ValueError(f"the state does not fit the network ({len(problems)} problems): {shown}{remedy}")
    return Variables(new["params"], new["batch_stats"])


def _leaves(variables: Variables) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(collection, path..., leaf name) and leaf of both collections."""

    def walk(tree, path):
        for name, child in tree.items():
            if isinstance(child, Mapping):
                yield from walk(child, (*path, name))
            else:
                yield (*path, name), child

    yield from walk(variables.params, ("params",))
    yield from walk(variables.batch_stats, ("batch_stats",))


def _torch_name(path: tuple[str, ...], parts: list[Part]) -> tuple[str, str]:
    """Name of a leaf and of its module."""
    part = next(p for p in parts if path[: len(p.path)] == p.path)
    module = part.prefix + part.module_name(path[len(part.path) : -1])
    dot = "." if module and not module.endswith(".") else ""
    return f"{module}{dot}{LEAVES.get(path[-1], path[-1])}", module


def _misfit(part: Part, state: State, like: Variables) -> str:
    """What to change so that a part fits, if the encoder knows."""
    if part.misfit is None:
        return ""
    inside = {name.removeprefix(part.prefix): value for name, value in state.items() if name.startswith(part.prefix)}
    return part.misfit(inside, _at(like.params, part.path))


def _ignored(name: str, parts: list[Part]) -> bool:
    """Counters, and what a part declares to have no counterpart."""
    if name.endswith(COUNTER):
        return True
    return any(
        p.ignore and name.startswith(p.prefix) and re.match(p.ignore, name.removeprefix(p.prefix)) for p in parts
    )


def _put(tree: dict, path: list[str], value: np.ndarray) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _at(tree: Mapping, path: tuple[str, ...]) -> Mapping:
    for name in path:
        tree = tree[name]
    return tree
