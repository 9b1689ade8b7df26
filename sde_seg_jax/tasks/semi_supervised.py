"""Semi-supervised segmentation with an EMA teacher and mixing along the scene's geometry.

See METHOD 3 in docs/reference/method.md.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sde_seg_jax.bounds import NotNegative
from sde_seg_jax.losses.pseudo_label import confident_fraction, pseudo_label, pseudo_label_loss
from sde_seg_jax.mixing.apply import next_in_batch, paste
from sde_seg_jax.mixing.rule import Rule, find_rule
from sde_seg_jax.mixing.strong import Strong, augmentation
from sde_seg_jax.options import flat, pick
from sde_seg_jax.tasks.forward import forward
from sde_seg_jax.tasks.options import Mixing
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.tasks.supervised import supervised_terms
from sde_seg_jax.tasks.task import Losses, Options, Task, always
from sde_seg_jax.tasks.teacher import Pseudo, make_pseudo
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Batch, Outputs, Streams, TrainState


def cached(losses: Losses, options: Options) -> tuple[str, ...]:
    """Streams that may carry cached disparities, which take the place of the depth network's."""
    return ("unlabeled",) if find_rule(pick(Mixing, options).mix).reads_depth else ()


@flat
def make_loss(
    network,
    *,
    losses: Losses,
    consistency: NotNegative = 1.0,
    mixing: Mixing = Mixing(),
    strong: Strong = Strong(),
    depth_network=None,
):
    """Supervised terms on the labeled batch + `consistency` x cross-entropy on mixed, strongly augmented images.

    strong.per_batch: one draw of the strong augmentation for the whole batch, as published, instead of one an image.
    depth_network: gives the disparity for mixing with the variables in state.frozen["depth"]; not needed where the
    batch carries cached disparities or the mix does not use depth.
    """
    mix, augment = make_mixing(network, mixing=mixing, depth_network=depth_network), augmentation(strong)

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms", "mix", "strong", "mixed")
        total, stats, logs = supervised_terms(network, losses, params, state.student.batch_stats, streams.labeled, r)

        _, mixed, mask, teacher_stats = mix(state, streams.unlabeled, r["mix"])
        outputs, stats = forward(network, params, stats, augment(mixed.image, r["strong"]), r["mixed"])
        agreement, found = agree(outputs, mixed, mask, mixing)
        return total + mixing.ramped(consistency, state.step) * agreement, Aux(stats, logs | found, teacher_stats)

    return loss


def agree(outputs: Outputs, mixed: Pseudo, mask: jax.Array, options: Mixing) -> tuple[jax.Array, dict]:
    """(loss of the final logits against the mixed pseudo labels, logs)."""
    agreement = pseudo_label_loss(outputs.logits, mixed.probability, options.confidence, options.weighting)
    sure = confident_fraction(mixed.probability, options.confidence)
    return agreement, {"agreement": agreement, "confident": sure, "pasted": jnp.mean(mask.astype(jnp.float32))}


@flat
def make_mixing(network, *, mixing: Mixing = Mixing(), depth_network=None) -> Callable:
    """(state, batch, rng, disparity=None) -> (what is mixed, mixed, mask [B,H,W,1], the teacher's new statistics).

    Each sample is pasted onto the next one of the batch where the mask is true. As in `make_pseudo` a disparity may
    be given, and without a teacher on batch statistics the last is None. Raises ValueError for unknown names.
    """
    rule, teacher = find_rule(mixing.mix), mixing.teacher
    pseudo_of = make_pseudo(network, teacher=teacher, reads_depth=rule.reads_depth, depth_network=depth_network)

    def mix(state: TrainState, batch: Batch, rng, disparity=None):
        pseudo, teacher_stats = pseudo_of(state, batch, disparity)
        mixed, mask = mix_within(rule, pseudo, rng, mixing.mix_margin)
        return pseudo, mixed, mask, teacher_stats

    return mix


def mix_within(rule: Rule, pseudo: Pseudo, rng, margin: float) -> tuple[Pseudo, jax.Array]:
    """(each sample kept on the next one of the batch where the mask is true, mask [B,H,W,1])."""
    under = next_in_batch(pseudo)
    mask = rule.mask(pseudo, under, rng, lambda key, disparity: margin)
    return paste(pseudo, under, mask), mask


@flat
def make_mixer(network, *, mixing: Mixing = Mixing(), depth_network=None, **_) -> Callable:
    """(state, streams, rng) -> {"mixing": Mix}, for pictures: as the loss of the same options mixes."""
    mix = make_mixing(network, mixing=mixing, depth_network=depth_network)

    def mixer(state: TrainState, streams: Streams, rng) -> dict[str, Mix]:
        return {"mixing": as_mix(*mix(state, streams.unlabeled, rng)[:3])}

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
