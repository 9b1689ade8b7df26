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
from sde_seg_jax.losses.pseudo_label import adjusted, pseudo_label
from sde_seg_jax.mixing import masks
from sde_seg_jax.tasks.forward import forward, predict, to_float
from sde_seg_jax.tasks.known_disparity import known_disparity
from sde_seg_jax.types import Batch, TrainState, Variables


@struct.dataclass
class Pseudo:
    """An unlabeled batch with the teacher's opinion; what is mixed."""

    image: Float[Array, "B H W 3"]
    probability: Float[Array, "B H W C"]  # ground truth one-hot where known, zero where ignored
    disparity: Float[Array, "B H W 1"] | None  # normalised per image to [0,1]

    @property
    def classes(self) -> Int[Array, "B H W"]:
        """What mixing rules read (`mixing.rule.Side`): the most probable class, IGNORE where there is no opinion."""
        return pseudo_label(self.probability)

    @property
    def num_classes(self) -> int:
        return self.probability.shape[-1]


def make_pseudo(
    network,
    *,
    teacher: str,
    reads_depth: bool,
    depth_network=None,
    factors=lambda: None,
    temperature: float = 1.0,
) -> Callable:
    """(state, batch, disparity=None) -> (`Pseudo` of the batch, the teacher's new running statistics or None).

    A disparity [B,h,w,1] that is given takes the place of the depth network's. factors: gives those [C] of the
    teacher's probabilities (`losses.pseudo_label.adjusted`), or None. temperature: by which its logits are divided
    before. Raises ValueError for an unknown name.
    """
    ask_teacher = choose(TEACHER_MODES, teacher, "task.teacher")(network)

    def pseudo(state: TrainState, batch: Batch, disparity=None):
        logits, teacher_stats = ask_teacher(state.teacher, to_float(batch.image))
        probability = jax.lax.stop_gradient(_probability(logits, batch, factors(), temperature))
        if not reads_depth:
            disparity = None
        else:
            disparity = known_disparity(depth_network, state, batch) if disparity is None else disparity
            disparity = comparable(disparity, batch.image.shape[1:3], batch.valid)
        return Pseudo(to_float(batch.image), probability, disparity), teacher_stats

    return pseudo


def with_truth(batch: Batch, num_classes: int, disparity: jax.Array | None) -> Pseudo:
    """A labeled batch with its ground truth in the place of an opinion; a disparity [B,h,w,1] as it comes."""
    image = to_float(batch.image)
    truth = jax.nn.one_hot(batch.label, num_classes, dtype=image.dtype)  # an ignored pixel is all zero
    if disparity is not None:
        disparity = comparable(disparity, batch.image.shape[1:3], batch.valid)
    return Pseudo(image, truth, disparity)


def comparable(disparity: jax.Array, size: tuple[int, int], valid: jax.Array | None = None) -> jax.Array:
    """A disparity [B,h,w,1] at full size, normalized per image to [0,1], without gradient: as masks compare it.

    valid [B,H,W]: of images that were scaled below their crop; beyond their edge it is 0, the farthest.
    """
    full = resize_bilinear(jax.lax.stop_gradient(disparity), size)
    return masks.normalize_disparity(full) if valid is None else masks.normalize_valid(full, valid)


def _on_batch_statistics(network) -> Callable:
    """The published teacher: batch statistics; no dropout (ours). Its own running statistics advance."""

    def ask(teacher: Variables, image: Float[Array, "B H W 3"]):
        outputs, stats = forward(network, teacher.params, teacher.batch_stats, image, None)
        return jax.lax.stop_gradient((outputs.logits, stats))

    return ask


def _on_running_statistics(network) -> Callable:
    def ask(teacher: Variables, image: Float[Array, "B H W 3"]):
        return jax.lax.stop_gradient(predict(network, teacher, image).logits), None

    return ask


TEACHER_MODES = {"batch_stats": _on_batch_statistics, "ema_stats": _on_running_statistics}


def _probability(
    logits: jax.Array, batch: Batch, factors: jax.Array | None = None, temperature: float = 1.0
) -> jax.Array:
    """Softmax at full resolution, maybe tempered and adjusted; the ground truth replaces it where a sample has one.

    Zero, so ignored, beyond the edge of an image that was scaled below its crop.
    """
    size = batch.image.shape[1:3]
    if logits.shape[1:3] != size:
        logits = resize_bilinear_corners(logits, size)
    predicted = jax.nn.softmax(logits if temperature == 1 else logits / temperature, axis=-1)
    predicted = predicted if factors is None else adjusted(predicted, factors)
    if batch.valid is not None:
        predicted = jnp.where(batch.valid[..., None], predicted, jnp.zeros_like(predicted))
    if batch.label is None:
        return predicted
    truth = jax.nn.one_hot(batch.label, logits.shape[-1], dtype=predicted.dtype)  # an ignored pixel is all zero
    return jnp.where(batch.labeled[:, None, None, None], truth, predicted)
