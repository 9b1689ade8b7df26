"""Self-supervised depth from video (METHOD 1): photometric error of warped neighbors, smoothness, feature distance."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from sde_seg_jax.imaging.colour import jitter_torchvision
from sde_seg_jax.lookup import choose
from sde_seg_jax.losses import photometric
from sde_seg_jax.tasks.forward import forward, predict
from sde_seg_jax.tasks.loss_terms import terms
from sde_seg_jax.tasks.motion import poses_and_intrinsics, triplet
from sde_seg_jax.tasks.task import Task, always
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Batch, Params, Streams, TrainState, Variables, View


def make_loss(
    network,
    *,
    losses: dict[str, float],
    frames: str = "minimum",
    error: str = "ssim_l1",
    auto_mask: bool = True,
    tie_break: float = 1e-5,
    min_depth: float = 0.1,
    max_depth: float = 100.0,
    jitter: float = 0.5,
):
    """The loss of one batch of triplets.

    frames: "minimum" or "average" over the source frames. error: "ssim_l1" or "l1". jitter: probability of the colour
    augmentation that the networks see, the same for a whole triplet (the loss compares un-augmented images).
    With the term `feature_distance` the state holds a frozen encoder under frozen["imagenet"].
    """
    options = term_options(
        frames=frames,
        error=error,
        auto_mask=auto_mask,
        tie_break=tie_break,
        min_depth=min_depth,
        max_depth=max_depth,
    )

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "jitter", "dropout", "terms")
        batch = streams.unlabeled
        clean = triplet(batch)
        seen = jitter_torchvision(clean, r["jitter"], probability=jitter)
        view, stats = observe(network, params, state.student.batch_stats, batch, clean, seen, r["dropout"])
        if "feature_distance" in losses:
            view = view.replace(reference_bottleneck=_imagenet_features(network, state, seen[:, 0]))
        total, logs = terms(losses, view, r["terms"], options)
        return total, Aux(stats, {**logs, **monitors(view), **focal_lengths(network, view)})

    return loss


def term_options(*, frames, error, auto_mask, tie_break, min_depth, max_depth) -> dict[str, dict]:
    """Options of the loss terms by name. Raises ValueError for unknown names."""
    return {
        "photometric": {
            "min_depth": min_depth,
            "max_depth": max_depth,
            "error": choose(photometric.ERRORS, error, "task.error"),
            "reduce": choose(photometric.REDUCTIONS, frames, "task.frames"),
            "auto_mask": auto_mask,
            "tie_break": tie_break,
        }
    }


def observe(network, params, stats, batch: Batch, clean, seen, dropout) -> tuple[View, Params]:
    """One training pass over triplets [B,3,H,W,3]: (what loss terms see, new running statistics).

    `clean` are the frames that the loss compares, `seen` those that the networks see.
    """
    outputs, stats = forward(network, params, stats, seen[:, 0], dropout)
    poses, intrinsics, stats = poses_and_intrinsics(network, params, stats, seen, batch.intrinsics)
    view = View(
        image=clean[:, 0],
        outputs=outputs,
        sources=clean[:, 1:],
        source_from_target=poses,
        intrinsics=intrinsics,
    )
    return view, stats


def _imagenet_features(network, state: TrainState, image):
    frozen = state.frozen["imagenet"]
    variables = {"params": frozen.params, "batch_stats": frozen.batch_stats}
    return jax.lax.stop_gradient(network.apply(variables, image, method="bottleneck"))


def monitors(view: View) -> dict[str, jax.Array]:
    """Signs of collapse: spread of the disparity relative to its mean (0 = constant map), and the camera's motion."""
    disparity, poses = view.outputs.disparity[0], view.source_from_target
    spread = jnp.std(disparity, axis=(1, 2, 3)) / (jnp.mean(disparity, axis=(1, 2, 3)) + 1e-7)
    return {
        "disparity_spread": jnp.mean(spread),
        "translation_norm": jnp.mean(jnp.linalg.norm(poses[:, :, :3, 3], axis=-1)),
    }


def focal_lengths(network, view: View) -> dict[str, jax.Array]:
    """Mean focal lengths of a batch in pixels of the stored image, if the network learns them."""
    if network.intrinsics is None:
        return {}
    return {"focal_x": jnp.mean(view.intrinsics.fx), "focal_y": jnp.mean(view.intrinsics.fy)}


def as_view(network, variables: Variables, batch: Batch) -> View:
    """The view of a batch for pictures: no augmentation; depth from running statistics, poses from the batch's."""
    clean = triplet(batch)
    poses, intrinsics, _ = poses_and_intrinsics(
        network, variables.params, variables.batch_stats, clean, batch.intrinsics
    )
    return View(
        image=clean[:, 0],
        outputs=predict(network, variables, clean[:, 0]),
        sources=clean[:, 1:],
        source_from_target=poses,
        intrinsics=intrinsics,
    )


TASK = Task(make_loss, streams=always({"unlabeled": ("neighbors",)}), needs=always(("depth", "pose")))
