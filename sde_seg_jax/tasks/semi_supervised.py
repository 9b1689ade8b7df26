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
from sde_seg_jax.tasks.known_disparity import known_disparity
from sde_seg_jax.tasks.options import LABELED, UNLABELED, Mixing
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.tasks.supervised import supervised_terms
from sde_seg_jax.tasks.task import Losses, Options, Task, always
from sde_seg_jax.tasks.teacher import Pseudo, make_pseudo, with_truth
from sde_seg_jax.tasks.views import channel_factors, over_views, stack_views, view_key
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Batch, Outputs, Params, Streams, TrainState


def cached(losses: Losses, options: Options) -> tuple[str, ...]:
    """Streams that may carry cached disparities, which take the place of the depth network's."""
    mixing = pick(Mixing, options)
    mixed = (UNLABELED,) if mixing.kept == UNLABELED else (UNLABELED, LABELED)
    return mixed if find_rule(mixing.mix).reads_depth else ()


@flat
def make_loss(
    network,
    *,
    losses: Losses,
    consistency: NotNegative = 1.0,
    mixing: Mixing = Mixing(),
    strong: Strong = Strong(),
    depth_network=None,
    class_shares=None,
):
    """Supervised terms on the labeled batch + `consistency` x cross-entropy on mixed, strongly augmented images.

    strong.per_batch: one draw of the strong augmentation for the whole batch, as published, instead of one an image.
    depth_network: gives the disparity for mixing with the variables in state.frozen["depth"]; not needed where the
    batch carries cached disparities or the mix does not use depth. class_shares [C]: of the labeled pixels, for
    mixing.prior.
    """
    given = {"depth_network": depth_network, "class_shares": class_shares}
    mix, augment = make_mixing(network, mixing=mixing, **given), augmentation(strong)

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "dropout", "terms", "mix", "strong", "mixed")
        total, stats, logs = supervised_terms(network, losses, params, state.student.batch_stats, streams.labeled, r)

        _, mixed, mask, teacher_stats = mix(state, streams, r["mix"])
        outputs, stats = see(network, params, stats, augment(mixed.image, r["strong"]), r["mixed"], mixing)
        agreement, found = agree(outputs, mixed, mask, mixing)
        return total + mixing.ramped(consistency, state.step) * agreement, Aux(stats, logs | found, teacher_stats)

    return loss


def see(network, params, stats, image: jax.Array, key, options: Mixing) -> tuple[Outputs, Params]:
    """`forward` on mixed, strongly augmented images [V*B,H,W,3], maybe without some channels (task.complementary)."""
    factors = channel_factors(network, options.complementary, len(image) // options.views, key)
    return forward(network, params, stats, image, key, factors)


def agree(outputs: Outputs, mixed: Pseudo, mask: jax.Array, options: Mixing) -> tuple[jax.Array, dict]:
    """(loss of the final logits against the mixed pseudo labels, the mean over views; logs)."""

    def of_view(logits, probability):
        return pseudo_label_loss(logits, probability, options.confidence, options.weighting, options.divisor)

    agreement = over_views(of_view, options.views, outputs.logits, mixed.probability)
    sure = confident_fraction(mixed.probability, options.confidence)
    return agreement, {"agreement": agreement, "confident": sure, "pasted": jnp.mean(mask.astype(jnp.float32))}


@flat
def make_mixing(network, *, mixing: Mixing = Mixing(), depth_network=None, class_shares=None) -> Callable:
    """(state, streams, rng, disparity=None) -> ((kept, under), mixed, mask [V*B,H,W,1], the teacher's new statistics).

    Where the mask is true `kept` is shown on `under` (`mix_within`). As in `make_pseudo` a disparity of the unlabeled
    batch may be given, and without a teacher on batch statistics the last is None. Raises ValueError for unknown names.
    """
    rule = find_rule(mixing.mix)
    read = {"teacher": mixing.teacher, "reads_depth": rule.reads_depth, "depth_network": depth_network}
    pseudo_of = make_pseudo(
        network, **read, factors=lambda: mixing.class_factors(class_shares), temperature=mixing.temperature
    )

    def mix(state: TrainState, streams: Streams, rng, disparity=None):
        pseudo, teacher_stats = pseudo_of(state, streams.unlabeled, disparity)
        return *mix_within(rule, pseudo, streams, state, rng, mixing, depth_network), teacher_stats

    return mix


def mix_within(
    rule: Rule, pseudo: Pseudo, streams: Streams, state: TrainState, rng, mixing: Mixing, depth_network
) -> tuple[tuple[Pseudo, Pseudo], Pseudo, jax.Array]:
    """((kept, under), kept on under where the mask is true, mask [V*B,H,W,1]) of unlabeled images with their opinion.

    As published each of them is kept on the next one of its batch; with mixing.kept="labeled" labeled image i with its
    ground truth on unlabeled image i. A further view (`tasks.views`) has the next but one, where there is one, so that
    rules without a draw, as DepthMix, mix it otherwise.
    """
    labeled = None
    if mixing.kept == LABELED:
        batch = require_labeled(streams)
        disparity = known_disparity(depth_network, state, batch) if rule.reads_depth else None
        labeled = with_truth(batch, pseudo.num_classes, disparity)
    pairs, masks = [], []
    for view in range(mixing.views):
        pairs.append(_pair(pseudo, labeled, view))
        masks.append(rule.mask(*pairs[-1], view_key(rng, view), lambda key, disparity: mixing.mix_margin))
    (kept, under), mask = stack_views(pairs), stack_views(masks)
    return (kept, under), paste(kept, under, mask), mask


def _pair(pseudo: Pseudo, labeled: Pseudo | None, view: int) -> tuple[Pseudo, Pseudo]:
    """(kept, under) of a view."""
    if labeled is not None:
        return next_in_batch(labeled, view), pseudo
    others = max(1, len(pseudo.image) - 1)
    return pseudo, next_in_batch(pseudo, 1 + view % others)


def require_labeled(streams: Streams) -> Batch:
    """The labeled images that are pasted. Raises ValueError without any, or of another shape than those under them."""
    labeled, unlabeled = streams.labeled, streams.unlabeled
    if labeled is None:
        raise ValueError("task.kept=labeled pastes labeled images, and this run reads none; set task.target above 0")
    if labeled.image.shape != unlabeled.image.shape:
        raise ValueError(
            f"task.kept=labeled pastes labeled images {labeled.image.shape} on unlabeled ones "
            f"{unlabeled.image.shape}: both streams need one batch size and crop"
        )
    return labeled


@flat
def make_mixer(network, *, mixing: Mixing = Mixing(), depth_network=None, class_shares=None, **_) -> Callable:
    """(state, streams, rng) -> {"mixing": Mix}, for pictures: as the loss of the same options mixes."""
    mix = make_mixing(network, mixing=mixing, depth_network=depth_network, class_shares=class_shares)

    def mixer(state: TrainState, streams: Streams, rng) -> dict[str, Mix]:
        return {"mixing": as_mix(*mix(state, streams, rng)[:3])}

    return mixer


def as_mix(pair: tuple[Pseudo, Pseudo], mixed: Pseudo, mask: jax.Array) -> Mix:
    """What is kept pasted onto what is under it, for pictures."""
    kept, under = pair
    return Mix(
        kept=kept.image,
        under=under.image,
        kept_disparity=kept.disparity,
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
