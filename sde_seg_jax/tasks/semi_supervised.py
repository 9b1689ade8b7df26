"""Semi-supervised segmentation with an EMA teacher and mixing along the scene's geometry (METHOD 3)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sde_seg_jax.lookup import choose
from sde_seg_jax.losses.pseudo_label import confident_fraction, pseudo_label, pseudo_label_loss
from sde_seg_jax.mixing import masks
from sde_seg_jax.mixing.apply import next_in_batch, paste
from sde_seg_jax.mixing.strong import strong_augment
from sde_seg_jax.tasks.forward import forward
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.tasks.supervised import supervised_terms
from sde_seg_jax.tasks.task import Losses, Options, Task, always
from sde_seg_jax.tasks.teacher import Pseudo, make_pseudo
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import IGNORE, Batch, Outputs, Streams, TrainState


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


def cached(losses: Losses, options: Options) -> tuple[str, ...]:
    """Streams that may carry cached disparities, which take the place of the depth network's."""
    return ("unlabeled",) if options.get("mix", "depth") in NEEDS_DISPARITY else ()


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
    mixing = make_mixing(network, mix=mix, mix_margin=mix_margin, teacher=teacher, depth_network=depth_network)
    augment = make_augmentation(jitter_probability, jitter_strength, blur_probability, per_batch)

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms", "mix", "strong", "mixed")
        total, stats, logs = supervised_terms(network, losses, params, state.student.batch_stats, streams.labeled, r)

        _, mixed, mask, teacher_stats = mixing(state, streams.unlabeled, r["mix"])
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


def make_mixing(network, *, mix: str, mix_margin: float, teacher: str, depth_network=None) -> Callable:
    """(state, batch, rng, disparity=None) -> (what is mixed, mixed, mask [B,H,W,1], the teacher's new statistics).

    Each sample is pasted onto the next one of the batch where the mask is true. As in `make_pseudo` a disparity may
    be given, and without a teacher on batch statistics the last is None. Raises ValueError for unknown names.
    """
    make_mask = choose(MIXES, mix, "task.mix")
    reads_depth = mix in NEEDS_DISPARITY
    pseudo_of = make_pseudo(network, teacher=teacher, reads_depth=reads_depth, depth_network=depth_network)

    def mixing(state: TrainState, batch: Batch, rng, disparity=None):
        pseudo, teacher_stats = pseudo_of(state, batch, disparity)
        mask = make_mask(pseudo, rng, mix_margin)
        return pseudo, paste(pseudo, next_in_batch(pseudo), mask), mask, teacher_stats

    return mixing


def make_mixer(network, *, mix: str, mix_margin: float, teacher: str, depth_network=None, **_) -> Callable:
    """(state, streams, rng) -> {"mixing": Mix}, for pictures: as the loss of the same options mixes."""
    mixing = make_mixing(network, mix=mix, mix_margin=mix_margin, teacher=teacher, depth_network=depth_network)

    def mixer(state: TrainState, streams: Streams, rng) -> dict[str, Mix]:
        return {"mixing": as_mix(*mixing(state, streams.unlabeled, rng)[:3])}

    return mixer


def as_mix(pseudo: Pseudo, mixed: Pseudo, mask: jax.Array) -> Mix:
    """Each sample pasted onto the next, for pictures."""
    under = next_in_batch(pseudo)
    return Mix(
        kept=pseudo.image,
        under=under.image,
        kept_disparity=pseudo.disparity,
        under_disparity=under.disparity,
        mask=mask,
        image=mixed.image,
        label=pseudo_label(mixed.probability),
    )


TASK = Task(
    make_loss,
    streams=always({"labeled": ("label",), "unlabeled": ("label",)}),
    needs=always(("segmentation",)),
    cached=cached,
    teacher=always(True),
    make_mixer=make_mixer,
)
