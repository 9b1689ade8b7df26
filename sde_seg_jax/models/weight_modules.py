"""Single modules out of a state with published names, for trees of ours: which names belong to which module.

The names follow the file, not the network that receives them: a depth decoder fits a segmentation decoder, and one
of a multi-task file fits a network without multi-task decoding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from sde_seg_jax.models.backbones import torch_names
from sde_seg_jax.models.import_weights import (
    Part,
    State,
    convert,
    decoder_part,
    encoder_part,
    pose_decoder_part,
)
from sde_seg_jax.models.torch_names import gate_module, head_module, no_module
from sde_seg_jax.types import Variables

# our module -> how its names begin in the joint model
MODULES = {
    "encoder": r"models\.encoder\.encoder\.",
    "depth_decoder": r"models\.(depth|mtl_decoder\.depth_dec)\.decoder\.",
    "segmentation/decoder": r"models\.(segmentation\.unet_dec|mtl_decoder\.seg_dec)\.decoder\.",
    "segmentation/head": r"models\.segmentation\.(?=project|head|output_conv)",
    "segmentation/classifier": r"models\.mtl_decoder\.seg_final_head\.0(?=\.)",
    "segmentation/intermediate": r"models\.mtl_decoder\.seg_intermediate_head\.0(?=\.)",
    "distillation/depth": r"models\.mtl_decoder\.sa_depth\.",
    "distillation/segmentation": r"models\.mtl_decoder\.sa_seg\.",
    "pose/encoder": r"models\.pose_encoder\.encoder\.",
    "pose/decoder": r"models\.pose\.(?=net)",
}
RGB = 3


def module_of(name: str) -> str | None:
    """The module that a name of the joint model belongs to, or None."""
    return next((module for module, start in MODULES.items() if re.match(start, name)), None)


def modules_in(state: State) -> list[str]:
    """The modules that a state has names of."""
    found = {module_of(name) for name in state}
    return [module for module in MODULES if module in found]


def leaf_modules(module: str) -> list[str]:
    """ "pose" -> ["pose/encoder", "pose/decoder"]; empty for what is not a module."""
    return [name for name in MODULES if name == module or name.startswith(f"{module}/")]


def module_from_torch(state: State, module: str, like: Variables) -> Variables:
    """One module of a state, in the shapes of `like`: the tree of that module, of any network.

    An encoder for n images gets a first convolution for one image n times, divided by n. Raises ValueError that
    lists what is missing, left over or misshapen among the module's names; disparity heads that `like` lacks are left.
    """
    leaves = leaf_modules(module)
    if not any(module_of(name) in leaves for name in state):
        known = ", ".join(modules_in(state)) or f"names such as '{next(iter(state))}'"
        raise ValueError(f"it holds no '{module}'; it holds {known}")
    state = {name: value for name, value in state.items() if module_of(name) in leaves}
    parts = []
    for leaf in leaves:
        path = tuple(leaf.removeprefix(module).strip("/").split("/")) if leaf != module else ()
        starts = [re.match(MODULES[leaf], name) for name in state]
        prefix = next((found.group() for found in starts if found), None)
        if prefix is not None and _at(like.params, path) is not None:
            parts.append(_part(leaf, path, prefix, like))
    _require_parts(module, parts, like)
    return convert(_stacked(state, parts, like), like, parts)


def repeat_for_images(kernel: np.ndarray, channels: int, axis: int) -> np.ndarray:
    """A kernel for one image, for `channels` / 3 images stacked on `axis`: repeated n times, divided by n.

    So n equal images give what one gave (Godard et al. 2019). Kernels of other sizes come back unchanged.
    """
    images, rest = divmod(channels, RGB)
    if kernel.shape[axis] != RGB or rest or images < 2:
        return kernel
    return np.concatenate([kernel] * images, axis=axis) / np.float32(images)


def _part(leaf: str, path: tuple[str, ...], prefix: str, like: Variables) -> Part:
    if leaf in ("encoder", "pose/encoder"):
        return encoder_part(path, prefix, like)
    if leaf in ("depth_decoder", "segmentation/decoder"):
        return decoder_part(path, prefix, like)
    if leaf == "pose/decoder":
        return pose_decoder_part(path, f"{prefix}net.")
    if leaf == "segmentation/head":
        head = _at(like.params, path)
        return Part(path, prefix, lambda names: head_module(names, head))
    return Part(path, prefix, gate_module if leaf.startswith("distillation/") else no_module)


def _require_parts(module: str, parts: Sequence[Part], like: Variables) -> None:
    """Every child of `like` needs a part, else its names are unknown."""
    if any(part.path == () for part in parts):
        return
    lacking = [child for child in like.params if not any(part.path[0] == child for part in parts)]
    if lacking:
        raise ValueError(f"it holds no '{module}/{lacking[0]}'")


def _stacked(state: State, parts: Sequence[Part], like: Variables) -> dict[str, np.ndarray]:
    state = dict(state)
    for part in parts:
        tree = _at(like.params, part.path)
        first = next((names.first for names in torch_names() if names.first in tree), None)
        if first is None:
            continue
        name = f"{part.prefix}{part.module_name((first,))}.weight"
        if name in state:
            state[name] = repeat_for_images(state[name], tree[first]["kernel"].shape[2], axis=1)
    return state


def _at(tree: Mapping, path: tuple[str, ...]) -> Mapping | None:
    for name in path:
        tree = tree.get(name)
        if tree is None:
            return None
    return tree
