"""Multi-task learning on labelled sequences alone: segmentation and self-supervised depth, no teacher, no mixing."""

from __future__ import annotations

import jax.numpy as jnp

from sde_seg_jax.tasks.depth import focal_lengths, monitors, observe, term_options
from sde_seg_jax.tasks.loss_terms import terms
from sde_seg_jax.tasks.motion import triplet
from sde_seg_jax.tasks.task import Task, always
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Streams, TrainState


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
):
    """All `losses` on the labeled triplets; options as in the task `depth`."""
    options = term_options(
        frames=frames,
        error=error,
        auto_mask=auto_mask,
        tie_break=tie_break,
        min_depth=min_depth,
        max_depth=max_depth,
    )

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms")
        batch, clean = streams.labeled, triplet(streams.labeled)
        view, stats = observe(network, params, state.student.batch_stats, batch, clean, clean, r["dropout"])
        total, logs = terms(losses, view.replace(label=batch.label.astype(jnp.int32)), r["terms"], options)
        return total, Aux(stats, logs | monitors(view) | focal_lengths(network, view))

    return loss


TASK = Task(
    make_loss, streams=always({"labeled": ("label", "neighbors")}), needs=always(("depth", "segmentation", "pose"))
)
