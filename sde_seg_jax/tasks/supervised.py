"""Supervised segmentation on the labelled images: the baseline."""

from __future__ import annotations

import jax.numpy as jnp

from sde_seg_jax.tasks.forward import forward, to_float
from sde_seg_jax.tasks.loss_terms import terms
from sde_seg_jax.tasks.task import Losses, Task, always
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Streams, TrainState, View


def make_loss(network, *, losses: Losses):
    """Cross-entropy (or the named terms) on one labelled batch."""

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms")
        total, stats, logs = supervised_terms(network, losses, params, state.student.batch_stats, streams.labeled, r)
        return total, Aux(stats, logs)

    return loss


def supervised_terms(network, losses, params, stats, batch, r):
    """(weighted sum, new running statistics, logs) of the loss terms on a labelled batch; r: keys dropout, terms."""
    image = to_float(batch.image)
    outputs, stats = forward(network, params, stats, image, r["dropout"])
    view = View(image=image, outputs=outputs, label=batch.label.astype(jnp.int32))
    total, logs = terms(losses, view, r["terms"])
    return total, stats, logs


TASK = Task(make_loss, streams=always({"labeled": ("label",)}), needs=always(("segmentation",)))
