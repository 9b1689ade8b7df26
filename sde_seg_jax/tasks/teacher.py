"""The EMA teacher's opinion on unlabeled images: what is mixed, and what the student learns there.

See METHOD 3 in docs/reference/method.md.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from sde_seg_jax.imaging.resize import resize_bilinear, resize_bilinear_corners
from sde_seg_jax.lookup import choose
from sde_seg_jax.losses.pseudo_label import pseudo_label
from sde_seg_jax.mixing import masks
from sde_seg_jax.tasks.forward import forward, predict, to_float
from sde_seg_jax.tasks.known_disparity import known_disparity
from sde_seg_jax.types import Batch, TrainState, Variables


@struct.dataclass
class Pseudo:
    """An unlabeled batch with the teacher's opinion; what is mixed."""

    image: Float[Array, "B H W 3"]
    probability: Float[Array, "B H W C"]  # ground truth one-hot where known, zero where it is ignored
    disparity: Float[Array, "B H W 1"] | None  # normalised per image to [0,1]

    @property
    def classes(self) -> Int[Array, "B H W"]:
        """What mixing rules read (`mixing.rule.Side`): the most probable class, IGNORE where there is no opinion."""
        return pseudo_label(self.probability)

    @property
    def num_classes(self) -> int:
        return self.probability.shape[-1]


def make_pseudo(network, *, teacher: str, reads_depth: bool, depth_network=None) -> Callable:
    """(state, batch, disparity=None) -> (`Pseudo` of the batch, the teacher's new running statistics or None).

    A disparity [B,h,w,1] that is given takes the place of the depth network's. Raises ValueError for an unknown name.
    """
    ask_teacher = choose(TEACHER_MODES, teacher, "task.teacher")(network)

    def pseudo(state: TrainState, batch: Batch, disparity=None):
        probability, teacher_stats = ask_teacher(state.teacher, batch)
        if not reads_depth:
            disparity = None
        else:
            disparity = known_disparity(depth_network, state, batch) if disparity is None else disparity
            disparity = comparable(disparity, batch.image.shape[1:3])
        return Pseudo(to_float(batch.image), probability, disparity), teacher_stats

    return pseudo


def comparable(disparity: jax.Array, size: tuple[int, int]) -> jax.Array:
    """A disparity [B,h,w,1] at full size, normalized per image to [0,1], without gradient: as masks compare it."""
    return masks.normalize_disparity(resize_bilinear(jax.lax.stop_gradient(disparity), size))


def _on_batch_statistics(network) -> Callable:
    """The published teacher: batch statistics; no dropout (ours). Its own running statistics advance."""

    def ask(teacher: Variables, batch: Batch):
        outputs, stats = forward(network, teacher.params, teacher.batch_stats, to_float(batch.image), None)
        return jax.lax.stop_gradient((_probability(outputs.logits, batch), stats))

    return ask


def _on_running_statistics(network) -> Callable:
    def ask(teacher: Variables, batch: Batch):
        logits = predict(network, teacher, to_float(batch.image)).logits
        return jax.lax.stop_gradient(_probability(logits, batch)), None

    return ask


TEACHER_MODES = {"batch_stats": _on_batch_statistics, "ema_stats": _on_running_statistics}


def _probability(logits: jax.Array, batch: Batch) -> jax.Array:
    """Softmax at full resolution; the ground truth replaces it where a sample has one."""
    size = batch.image.shape[1:3]
    if logits.shape[1:3] != size:
        logits = resize_bilinear_corners(logits, size)
    predicted = jax.nn.softmax(logits, axis=-1)
    if batch.label is None:
        return predicted
    truth = jax.nn.one_hot(batch.label, logits.shape[-1], dtype=predicted.dtype)  # an ignored pixel is all zero
    return jnp.where(batch.labeled[:, None, None, None], truth, predicted)
