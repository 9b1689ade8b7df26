"""What several tasks share: running the network with its running statistics, poses, and sums of loss terms."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from sde_seg_jax.geometry import camera, se3
from sde_seg_jax.types import Batch, Intrinsics, Outputs, Params, TrainState, Variables, View


@struct.dataclass
class Mix:
    """A mixed batch and what it was made of, for pictures; a task's `make_mixer` returns such by name."""

    kept: Float[Array, "B H W 3"]  # shown where the mask is true, in [0,1]
    under: Float[Array, "B H W 3"]  # shown elsewhere
    kept_disparity: Float[Array, "B H W 1"] | None  # normalized per image to [0,1]; None if depth does not decide
    under_disparity: Float[Array, "B H W 1"] | None
    mask: Bool[Array, "B H W 1"]
    image: Float[Array, "B H W 3"]  # mixed, not augmented
    label: Int[Array, "B H W"]  # what the student learns there, IGNORE where nothing


def find_module(package: str, name: str, attribute: str, kind: str) -> ModuleType:
    """The module `package.name` that defines `attribute`. Raises ValueError that lists the known names."""
    folder = importlib.import_module(package)
    names = [m.name for m in pkgutil.iter_modules(folder.__path__) if not m.ispkg]
    if name in names:
        module = importlib.import_module(f"{package}.{name}")
        if hasattr(module, attribute):
            return module
    known = [n for n in names if hasattr(importlib.import_module(f"{package}.{n}"), attribute)]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ValueError(f"unknown {kind} '{name}'; {hint}known: {', '.join(known)}")


def find_task(name: str) -> ModuleType:
    """A task module by name."""
    return find_module("sde_seg_jax.tasks", name, "make_loss", "task")


def find_loss(name: str) -> ModuleType:
    """A loss module by name."""
    return find_module("sde_seg_jax.losses", name, "term", "loss term")


def choose(options: dict[str, Any], name: str, key: str) -> Any:
    """options[name]. Raises ValueError that names the configuration key and lists the known values."""
    if name not in options:
        raise ValueError(f"unknown {key} '{name}'; known: {', '.join(options)}")
    return options[name]


def default_float() -> jnp.dtype:
    """The float a step computes in: float32, or float64 where jax has 64 bits switched on."""
    return jax.dtypes.canonicalize_dtype(float)


def to_float(image: jax.Array) -> jax.Array:
    """uint8 [0,255] -> [0,1] in `default_float`."""
    return image.astype(default_float()) / 255.0


def forward(
    network: Any, params: Params, stats: Params, image: jax.Array, dropout: jax.Array | None
) -> tuple[Outputs, Params]:
    """Training mode on images [B,H,W,3] in [0,1]: (outputs, new running statistics). No dropout without a key."""
    outputs, changed = network.apply(
        {"params": params, "batch_stats": stats},
        image,
        train=True,
        dropout=dropout is not None,
        rngs={} if dropout is None else {"dropout": dropout},
        mutable=["batch_stats"],
    )
    return outputs, changed["batch_stats"]


def predict(network: Any, variables: Variables, image: jax.Array) -> Outputs:
    """Evaluation mode: running statistics, no dropout. Images in [0,1]."""
    return network.apply({"params": variables.params, "batch_stats": variables.batch_stats}, image, train=False)


# frozen network -> how to do with or without it
DISPARITY_REMEDIES = {
    "depth": (
        "the task needs a depth network: set task.depth_checkpoint, or mix without: task.mix=class (and "
        "task.cross_mix=class, if it has one), or name its cached disparities: data.depth_cache"
    ),
    "source_depth": (
        "the task needs a depth network of the source domain: set task.source_depth_checkpoint, or mix the domains "
        "without: task.cross_mix=class (and no losses.berhu), or name its cached disparities: source_data.depth_cache"
    ),
}


def known_disparity(depth_network: Any, state: TrainState, batch: Batch, name: str = "depth") -> jax.Array:
    """Disparity [B,h,w,1] of a trained network: cached in the batch, else from state.frozen[name].

    name: one of DISPARITY_REMEDIES. Raises ValueError that names the remedy if there is neither.
    """
    if batch.disparity is not None:
        return batch.disparity[..., None]
    if depth_network is None or name not in state.frozen:
        raise ValueError(DISPARITY_REMEDIES[name])
    return predict(depth_network, state.frozen[name], to_float(batch.image)).disparity[0]


def streams_of(task: ModuleType, losses: Collection[str], options: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Stream -> optional fields that a task reads: its constant STREAMS, or its function of losses and options.

    options: the section task of a configuration.
    """
    return task.streams(losses, options) if hasattr(task, "streams") else task.STREAMS


def cached_of(task: ModuleType, losses: Collection[str], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Streams whose disparity a task reads, which may be cached: its constant CACHED, or its function."""
    return task.cached(losses, options) if hasattr(task, "cached") else getattr(task, "CACHED", ())


def has_teacher(task: ModuleType, options: Mapping[str, Any]) -> bool:
    """Does a task learn from an EMA teacher? Its constant TEACHER, or its function of the options."""
    return task.has_teacher(options) if hasattr(task, "has_teacher") else getattr(task, "TEACHER", False)


def parts_of(task: ModuleType, losses: Collection[str]) -> tuple[str, ...]:
    """Parts of the network that a task needs: its constant NEEDS, or its function of the losses."""
    return task.needs(losses) if hasattr(task, "needs") else task.NEEDS


def source_poses(network: Any, params: Params, stats: Params, frames: jax.Array) -> tuple[jax.Array, Params]:
    """source_from_target [B,2,4,4] of (previous, next) from frames [B,3,H,W,3] = (target, previous, next).

    Each pair is given in temporal order; the backward transform is the inverse of previous -> target (METHOD 1).
    """

    def pose(earlier, later, stats):
        variables = {"params": params, "batch_stats": stats}
        found, changed = network.apply(variables, earlier, later, train=True, method="pose", mutable=["batch_stats"])
        return found, changed["batch_stats"]

    target, previous, following = frames[:, 0], frames[:, 1], frames[:, 2]
    backward, stats = pose(previous, target, stats)
    forward_, stats = pose(target, following, stats)
    return jnp.stack([se3.inverse_transform(*backward), se3.transform(*forward_)], axis=1), stats


def known_camera(network: Any, params: Params, nominal: Intrinsics) -> Intrinsics:
    """The camera of each sample: the nominal one, or what the network has learnt to make of it (`camera.refine`)."""
    if network.intrinsics is None:
        return nominal
    learnt = {"params": {"intrinsics": params["intrinsics"]}}
    return camera.refine(nominal, network.apply(learnt, nominal.fx, method="camera_change"))


def poses_and_intrinsics(
    network: Any, params: Params, stats: Params, frames: jax.Array, nominal: Intrinsics
) -> tuple[jax.Array, Intrinsics, Params]:
    """`source_poses` and the `known_camera` of each sample, both with gradients; new running statistics."""
    poses, stats = source_poses(network, params, stats, frames)
    return poses, known_camera(network, params, nominal), stats


def triplet(batch: Batch) -> jax.Array:
    """Frames [B,3,H,W,3] in [0,1]: target, previous, next. Raises ValueError without neighbors."""
    if batch.neighbors is None:
        raise ValueError("this task needs neighboring frames; choose a split with video (data.video_split)")
    return to_float(jnp.concatenate([batch.image[:, None], batch.neighbors], axis=1))


def terms(
    losses: dict[str, float], view: View, rng: jax.Array, options: dict[str, dict] | None = None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Weighted sum of loss terms, and each term's value before weighting."""
    options = options or {}
    total, logs = jnp.zeros((), default_float()), {}
    for name, key in zip(sorted(losses), jax.random.split(rng, max(1, len(losses))), strict=True):
        logs[name] = find_loss(name).term(view, key, **options.get(name, {}))
        total = total + losses[name] * logs[name]
    return total, logs
