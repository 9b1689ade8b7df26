"""The function that is exported: uint8 images in, what was asked for out, all weights inside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from ml_collections import config_dict

from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.choices import OUTPUTS
from sde_seg_jax.experiment.export.resizing import resize_area
from sde_seg_jax.geometry.depth import DepthRange, disparity_to_depth
from sde_seg_jax.imaging.resize import resize_bilinear, resize_bilinear_corners
from sde_seg_jax.lookup import suggest
from sde_seg_jax.models.network import Network
from sde_seg_jax.options import pick
from sde_seg_jax.tasks.forward import predict, to_float
from sde_seg_jax.types import Variables

Size = tuple[int, int]
DEPTH_ONLY = ("disparity", "depth")  # what a depth decoder says


@dataclasses.dataclass(frozen=True)
class Graph:
    """What every format is made from.

    Attributes:
      function: uint8 images [B,H,W,3] -> {name: array}, at the size that the network sees.
      outputs: the names, in the order of the file: classes uint8 [B,h,w], probabilities float32 [B,h,w,C] in [0,1],
        disparity float32 [B,h,w] in (0,1), depth float32 [B,h,w].
      size: (height, width) that the network sees.
      input_size: (height, width) of the images; None: any.
      batch: images in a call; None: any number.
      dtype: what convolutions compute in.
    """

    function: Callable[[jax.Array], dict[str, jax.Array]]
    outputs: tuple[str, ...]
    size: Size
    input_size: Size | None
    batch: int | None
    dtype: str

    @property
    def example_shape(self) -> tuple[int, int, int, int]:
        """A shape that the function takes."""
        return (self.batch or 1, *(self.input_size or self.size), 3)

    def in_order(self, image: jax.Array) -> tuple[jax.Array, ...]:
        """The outputs as a tuple, for formats that number them."""
        found = self.function(image)
        return tuple(found[name] for name in self.outputs)


def make_graph(
    trained: Trained,
    *,
    outputs: Sequence[str] = (),
    size: Size | None = None,
    input_size: Size | None = None,
    any_input_size: bool = False,
    batch: int | None = None,
    dtype: str = "float32",
) -> Graph:
    """The function of a checkpoint's network.

    Args:
      trained: the checkpoint.
      outputs: some of OUTPUTS; by default all but depth, which disparity tells.
      size: what the network sees; by default what it was trained on.
      input_size: of the images, which are resized inside; by default `size`.
      any_input_size: images may have any size instead.
      batch: images in a call; by default any number.
      dtype: float32, float16 or bfloat16.

    Raises:
      UsageError: a size that does not fit the network, or an output that it does not have.
    """
    size = size or tuple(trained.config.data.size)
    network, variables = without_pose(trained)
    _check_size(network, size)
    names = _checked(outputs, network)
    computing = computing_in(network, dtype)
    variables = Variables(_stored_in(variables.params, dtype), variables.batch_stats)
    limits = depth_limits(trained.config)

    def function(image):
        found = predict(computing, variables, to_float(resize_area(image, size)))
        maps = {}
        if found.logits is not None:
            same = found.logits.shape[1:3] == size
            logits = found.logits if same else resize_bilinear_corners(found.logits, size)
            maps["classes"] = jnp.argmax(logits, axis=-1).astype(jnp.uint8)
            maps["probabilities"] = jax.nn.softmax(logits, axis=-1)
        if found.disparity is not None:
            maps["disparity"] = resize_bilinear(found.disparity[0], size)[..., 0]
            maps["depth"] = disparity_to_depth(maps["disparity"], *limits)
        return {name: maps[name] for name in names}

    return Graph(function, names, size, None if any_input_size else input_size or size, batch, dtype)


def depth_limits(config: config_dict.ConfigDict) -> tuple[float, float]:
    """The nearest and farthest depth that a network can tell."""
    depths = pick(DepthRange, config.task)
    return depths.min_depth, depths.max_depth


def computing_in(module: nn.Module, dtype: str) -> Any:
    """The module with all that is inside computing in `dtype`: training knows fewer than an export may have."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(module):
        value = getattr(module, field.name)
        if field.name == "dtype":
            changes["dtype"] = jnp.dtype(dtype)
        elif field.name != "parent" and isinstance(value, nn.Module):
            changes[field.name] = computing_in(value, dtype)
    return module.clone(**changes)


def without_pose(trained: Trained) -> tuple[Network, Variables]:
    """The network and its variables without what one image does not need."""
    network = trained.network.clone(pose_network=None, intrinsics=None)
    unused = ("pose", "intrinsics")
    trees = (trained.variables.params, trained.variables.batch_stats)
    return network, Variables(*({k: v for k, v in tree.items() if k not in unused} for tree in trees))


def _stored_in(tree: Any, dtype: str) -> Any:
    """Kernels and their biases in `dtype`, which convolutions would round them to anyway; the rest as it is."""
    if not isinstance(tree, Mapping):
        return tree
    if "kernel" in tree:
        return {name: np.asarray(value).astype(jnp.dtype(dtype)) for name, value in tree.items()}
    return {name: _stored_in(value, dtype) for name, value in tree.items()}


def _check_size(network: Network, size: Size) -> None:
    try:
        network.check_size(*size)
    except ValueError as error:
        reason = str(error).removesuffix(". Change data.crop or data.size")
        raise UsageError(f"--size={size[0]}x{size[1]}: {reason}") from error


def _checked(outputs: Sequence[str], network: Network) -> tuple[str, ...]:
    """The outputs, in the order of OUTPUTS. Raises UsageError for one that the network does not have."""
    has = available(network)
    for name in outputs:
        if name not in OUTPUTS:
            raise UsageError(f"--outputs={','.join(outputs)}: unknown output; {suggest(name, OUTPUTS)}")
        if name not in has:
            part = "depth decoder" if name in DEPTH_ONLY else "segmentation decoder"
            raise UsageError(f"--outputs={name}: this checkpoint has no {part}; it has {', '.join(has)}")
    return tuple(name for name in has if name in (outputs or [name for name in has if name != "depth"]))


def available(network: Network) -> tuple[str, ...]:
    """Which of OUTPUTS a network has."""
    segments, depth = network.segmentation is not None, network.depth_decoder is not None
    return OUTPUTS[: 2 * segments] + (DEPTH_ONLY if depth else ())
