"""A depth student imitates the disparity of a trained network: where it fails, a label teaches most.

With `cross_entropy` among the losses it learns to segment the same images, too.

See METHOD 4 in docs/reference/method.md.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from sde_seg_jax.tasks.forward import forward, to_float
from sde_seg_jax.tasks.known_disparity import known_disparity
from sde_seg_jax.tasks.loss_terms import reads_label, terms
from sde_seg_jax.tasks.task import Losses, Options, Task, always
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Streams, TrainState, View


def streams(losses: Losses, options: Options) -> dict[str, tuple[str, ...]]:
    """Stream -> optional fields it reads: the chosen images, with labels only if a loss needs them."""
    return {"labeled": ("label",) if _segments(losses) else ()}


def needs(losses: Losses, options: Options) -> tuple[str, ...]:
    """Parts of the network."""
    return ("depth", "segmentation") if _segments(losses) else ("depth",)


def _segments(losses: Losses) -> bool:
    return any(map(reads_label, losses))


def make_loss(network, *, losses: Losses, depth_network=None):
    """The loss terms on one batch, `berhu` among them.

    depth_network: gives the disparity to imitate with the variables in state.frozen["depth"]; not needed where the
    batch carries cached disparities.
    """

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms")
        batch = streams.labeled
        image = to_float(batch.image)
        outputs, stats = forward(network, params, state.student.batch_stats, image, r["dropout"])
        view = View(
            image=image,
            outputs=outputs,
            label=None if batch.label is None else batch.label.astype(jnp.int32),
            reference_disparity=jax.lax.stop_gradient(known_disparity(depth_network, state, batch)),
        )
        total, logs = terms(losses, view, r["terms"])
        return total, Aux(stats, logs)

    return loss


TASK = Task(make_loss, streams=streams, needs=needs, cached=always(("labeled",)))
