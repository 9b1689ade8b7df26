"""Multi-task learning on labelled sequences alone: segmentation and self-supervised depth, no teacher, no mixing."""

from __future__ import annotations

import jax.numpy as jnp

from sde_seg_jax.options import flat
from sde_seg_jax.tasks.depth import collapsed, focal_lengths, monitors, observe
from sde_seg_jax.tasks.loss_terms import terms
from sde_seg_jax.tasks.motion import triplet
from sde_seg_jax.tasks.options import Photometric
from sde_seg_jax.tasks.task import Losses, Task, always
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Streams, TrainState


@flat
def make_loss(
    network,
    *,
    losses: Losses,
    photometric: Photometric = Photometric(),
):
    """All `losses` on the labeled triplets; options as in the task `depth`."""
    options = photometric.of_terms()

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms")
        batch, clean = streams.labeled, triplet(streams.labeled)
        view, stats = observe(network, params, state.student.batch_stats, batch, clean, clean, r["dropout"])
        total, logs = terms(losses, view.replace(label=batch.label.astype(jnp.int32)), r["terms"], options)
        return total, Aux(stats, logs | monitors(view) | focal_lengths(network, view))

    return loss


TASK = Task(
    make_loss,
    streams=always({"labeled": ("label", "neighbors")}),
    needs=always(("depth", "segmentation", "pose")),
    problem=collapsed,
)
