"""Self-supervised depth from video: photometric error of warped neighbors, smoothness, feature distance.

See METHOD 1 in docs/reference/method.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from sde_seg_jax.bounds import Probability
from sde_seg_jax.imaging.colour import jitter_torchvision
from sde_seg_jax.options import flat
from sde_seg_jax.tasks.forward import forward, predict
from sde_seg_jax.tasks.loss_terms import imitates, terms
from sde_seg_jax.tasks.motion import poses_and_intrinsics, triplet
from sde_seg_jax.tasks.options import Photometric
from sde_seg_jax.tasks.task import Losses, Options, Task, always
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Batch, Params, Streams, TrainState, Variables, View

COLLAPSED = 1e-3  # of the disparity's spread relative to its mean: below that it tells nothing


def cached(losses: Losses, options: Options) -> tuple[str, ...]:
    """Streams that carry cached disparities: where a term imitates them."""
    return ("unlabeled",) if any(map(imitates, losses)) else ()


@flat
def make_loss(
    network,
    *,
    losses: Losses,
    photometric: Photometric = Photometric(),
    jitter: Probability = 0.5,
):
    """The loss of one batch of triplets.

    jitter: probability of the colour augmentation that the networks see, the same for a whole triplet (the loss
    compares un-augmented images).
    With the term `feature_distance` the state holds a frozen encoder under frozen["imagenet"]. A term that imitates a
    disparity (`relative_depth`) reads the batch's cached one. Raises ValueError, when traced, if there is none.
    """
    options = photometric.of_terms()
    imitating = cached(losses, {})

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "jitter", "dropout", "terms")
        batch = streams.unlabeled
        clean = triplet(batch)
        seen = jitter_torchvision(clean, r["jitter"], probability=jitter)
        view, stats = observe(network, params, state.student.batch_stats, batch, clean, seen, r["dropout"])
        if "feature_distance" in losses:
            view = view.replace(reference_bottleneck=_imagenet_features(network, state, seen[:, 0]))
        if imitating:
            view = view.replace(reference_disparity=_cached_disparity(batch, losses))
        total, logs = terms(losses, view, r["terms"], options)
        return total, Aux(stats, {**logs, **monitors(view), **focal_lengths(network, view)})

    return loss


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


def _cached_disparity(batch: Batch, losses: Losses) -> jax.Array:
    if batch.disparity is None:
        name = next(filter(imitates, losses))
        raise ValueError(
            f"losses.{name} compares with cached disparities: make them with cli.cache_depth and name them with "
            "data.depth_cache, or remove the term"
        )
    return batch.disparity[..., None]


def monitors(view: View) -> dict[str, jax.Array]:
    """Signs of collapse: spread of the disparity relative to its mean (0 = constant map), and the camera's motion."""
    disparity, poses = view.outputs.disparity[0], view.source_from_target
    spread = jnp.std(disparity, axis=(1, 2, 3)) / (jnp.mean(disparity, axis=(1, 2, 3)) + 1e-7)
    return {
        "disparity_spread": jnp.mean(spread),
        "translation_norm": jnp.mean(jnp.linalg.norm(poses[:, :, :3, 3], axis=-1)),
    }


def collapsed(means: Mapping[str, float], step: int) -> str:
    """What to tell of depth that has become a constant map by a step (`Task.problem`); "" if it has not."""
    if "disparity_spread" not in means or means["disparity_spread"] >= COLLAPSED:
        return ""
    return (
        f"depth collapsed to a constant map (disparity spread {means['disparity_spread']:.1e} at step {step}): "
        "try another seed, a higher optim.learning_rate, model.disparity_bias=-4 with model.pose_start=0, "
        "or frames with more motion"
    )


def focal_lengths(network, view: View) -> dict[str, jax.Array]:
    """Mean focal lengths of a batch in pixels of the stored image, or of what data.scale made, if they are learnt."""
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


TASK = Task(
    make_loss,
    streams=always({"unlabeled": ("neighbors",)}),
    needs=always(("depth", "pose")),
    cached=cached,
    problem=collapsed,
)
