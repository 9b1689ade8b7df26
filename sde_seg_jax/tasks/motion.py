"""Sequences: a batch's frames, the poses between them, and their camera."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from sde_seg_jax.geometry import camera, se3
from sde_seg_jax.tasks.forward import to_float
from sde_seg_jax.types import Batch, Intrinsics, Params, Variables


def source_poses(network: Any, params: Params, stats: Params, frames: jax.Array) -> tuple[jax.Array, Params]:
    """source_from_target [B,2,4,4] of (previous, next) from frames [B,3,H,W,3] = (target, previous, next).

    Each pair is given in temporal order; the backward transform is the inverse of previous -> target.
    See METHOD 1 in docs/reference/method.md.
    """

    def pose(earlier, later, stats):
        variables = {"params": params, "batch_stats": stats}
        found, changed = network.apply(variables, earlier, later, train=True, method="pose", mutable=["batch_stats"])
        return found, changed.get("batch_stats", stats)

    target, previous, following = frames[:, 0], frames[:, 1], frames[:, 2]
    backward, stats = pose(previous, target, stats)
    forward_, stats = pose(target, following, stats)
    return jnp.stack([se3.inverse_transform(*backward), se3.transform(*forward_)], axis=1), stats


def predicted_poses(network: Any, variables: Variables, frames: jax.Array) -> jax.Array:
    """`source_poses` in evaluation mode: with running statistics, so that no frame depends on those beside it."""
    stored = {"params": variables.params, "batch_stats": variables.batch_stats}
    target, previous, following = frames[:, 0], frames[:, 1], frames[:, 2]
    backward = network.apply(stored, previous, target, method="pose")
    forward_ = network.apply(stored, target, following, method="pose")
    return jnp.stack([se3.inverse_transform(*backward), se3.transform(*forward_)], axis=1)


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
