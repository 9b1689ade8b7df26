"""Semi-supervised segmentation with an EMA teacher and mixing along the scene's geometry (METHOD 3)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import resize_bilinear, resize_bilinear_corners
from sde_seg_jax.losses.pseudo_label import confident_fraction, pseudo_label_loss
from sde_seg_jax.mixing import masks
from sde_seg_jax.mixing.apply import next_in_batch, paste
from sde_seg_jax.mixing.strong import strong_augment
from sde_seg_jax.tasks.parts import choose, forward, known_disparity, predict, to_float
from sde_seg_jax.tasks.supervised import supervised_terms
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import IGNORE, Batch, Outputs, Streams, TrainState, Variables

STREAMS = {"labeled": ("label",), "unlabeled": ("label",)}  # stream -> optional fields it reads
CACHED = ("unlabeled",)  # streams that may carry cached disparities, which take the place of the depth network's
NEEDS = ("segmentation",)
TEACHER = True


@struct.dataclass
class Pseudo:
    """An unlabeled batch with the teacher's opinion; what is mixed."""

    image: Float[Array, "B H W 3"]
    probability: Float[Array, "B H W C"]  # ground truth one-hot where known, zero where it is ignored
    disparity: Float[Array, "B H W 1"] | None  # normalised per image to [0,1]


def _depth(pseudo: Pseudo, rng, margin):
    return masks.depth_mix_mask(pseudo.disparity, next_in_batch(pseudo.disparity), margin=margin)


def _class(pseudo: Pseudo, rng, margin):
    known = jnp.sum(pseudo.probability, axis=-1) > 0
    classes = jnp.where(known, jnp.argmax(pseudo.probability, axis=-1), IGNORE)
    return masks.class_mix_mask(classes, rng, pseudo.probability.shape[-1])


def _depth_threshold(pseudo: Pseudo, rng, margin):
    return masks.depth_threshold_mask(pseudo.disparity, rng)


def _depth_histogram(pseudo: Pseudo, rng, margin):
    return masks.depth_histogram_mask(pseudo.disparity, rng)


def _none(pseudo: Pseudo, rng, margin):
    return jnp.ones_like(pseudo.image[..., :1], bool)


MIXES = {
    "depth": _depth,
    "class": _class,
    "depth_threshold": _depth_threshold,
    "depth_histogram": _depth_histogram,
    "none": _none,
}
NEEDS_DISPARITY = ("depth", "depth_threshold", "depth_histogram")


def make_loss(
    network,
    *,
    losses: dict[str, float],
    consistency: float = 1.0,
    mix: str = "depth",
    mix_margin: float = 0.03,
    confidence: float = 0.968,
    teacher: str = "batch_stats",
    jitter_probability: float = 0.8,
    jitter_strength: float = 0.25,
    blur_probability: float = 0.5,
    per_batch: bool = False,
    depth_network=None,
):
    """Supervised terms on the labeled batch + `consistency` x cross-entropy on mixed, strongly augmented images.

    mix: one of MIXES. confidence: teacher probability from which a pixel counts as confident. teacher: how it
    predicts, "batch_stats" (as published: statistics of the batch) or "ema_stats" (averaged running statistics).
    per_batch: one draw of the strong augmentation for the whole batch, as published, instead of one an image.
    depth_network: gives the disparity for mixing with the variables in state.frozen["depth"]; not needed where the
    batch carries cached disparities or the mix does not use depth.
    """
    mixer = make_mixer(network, mix=mix, mix_margin=mix_margin, teacher=teacher, depth_network=depth_network)
    augment = make_augmentation(jitter_probability, jitter_strength, blur_probability, per_batch)

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms", "mix", "strong", "mixed")
        total, stats, logs = supervised_terms(network, losses, params, state.student.batch_stats, streams.labeled, r)

        _, mixed, mask, teacher_stats = mixer(state, streams.unlabeled, r["mix"])
        outputs, stats = forward(network, params, stats, augment(mixed.image, r["strong"]), r["mixed"])
        agreement, found = agree(outputs, mixed, mask, confidence)
        return total + consistency * agreement, Aux(stats, logs | found, teacher_stats)

    return loss


def make_augmentation(jitter_probability: float, jitter_strength: float, blur_probability: float, per_batch: bool):
    """(images, rng) -> strongly augmented images."""

    def augment(image, rng):
        return strong_augment(
            image,
            rng,
            jitter_probability=jitter_probability,
            strength=jitter_strength,
            blur_probability=blur_probability,
            per_batch=per_batch,
        )

    return augment


def agree(outputs: Outputs, mixed: Pseudo, mask: jax.Array, confidence: float) -> tuple[jax.Array, dict]:
    """(loss of the final logits against the mixed pseudo labels, logs)."""
    agreement = pseudo_label_loss(outputs.logits, mixed.probability, confidence)
    sure = confident_fraction(mixed.probability, confidence)
    return agreement, {"agreement": agreement, "confident": sure, "pasted": jnp.mean(mask.astype(jnp.float32))}


def make_mixer(network, *, mix: str, mix_margin: float, teacher: str, depth_network=None) -> Callable:
    """(state, batch, rng) -> (what is mixed, mixed, mask [B,H,W,1], the teacher's new running statistics or None).

    Each sample is pasted onto the next one of the batch where the mask is true. A disparity [B,h,w,1] given as
    fourth argument takes the place of the depth network's. Raises ValueError for unknown names.
    """
    make_mask = choose(MIXES, mix, "task.mix")
    ask_teacher = choose(TEACHER_MODES, teacher, "task.teacher")(network)

    def mixer(state: TrainState, batch: Batch, rng, disparity=None):
        probability, teacher_stats = ask_teacher(state.teacher, batch)
        if mix not in NEEDS_DISPARITY:
            disparity = None
        elif disparity is None:
            disparity = known_disparity(depth_network, state, batch)
        if disparity is not None:
            disparity = resize_bilinear(jax.lax.stop_gradient(disparity), batch.image.shape[1:3])
            disparity = masks.normalize_disparity(disparity)
        pseudo = Pseudo(to_float(batch.image), probability, disparity)
        mask = make_mask(pseudo, rng, mix_margin)
        return pseudo, paste(pseudo, next_in_batch(pseudo), mask), mask, teacher_stats

    return mixer


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
