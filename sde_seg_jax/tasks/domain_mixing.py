"""What domain adaptation mixes: target images with each other, and source images with target images.

See METHOD 5 in docs/reference/method.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from sde_seg_jax.lookup import choose
from sde_seg_jax.losses.cross_entropy import cross_entropy
from sde_seg_jax.losses.pseudo_label import confidence_weights, confident_fraction, over, pseudo_label
from sde_seg_jax.mixing.apply import paste
from sde_seg_jax.mixing.cross_domain import fixed_margins, pixel_weights, random_margins
from sde_seg_jax.mixing.rule import find_rule
from sde_seg_jax.options import flat
from sde_seg_jax.tasks import semi_supervised
from sde_seg_jax.tasks.forward import to_float
from sde_seg_jax.tasks.known_disparity import known_disparity
from sde_seg_jax.tasks.options import CrossMixing, Domains
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.tasks.teacher import Pseudo, comparable, make_pseudo
from sde_seg_jax.types import Batch, Outputs, Params, Streams, TrainState

MARGINS = {"random": random_margins, "fixed": fixed_margins}


@dataclasses.dataclass(frozen=True)
class Source:
    """Source images as mixing rules see them (`mixing.rule.Side`)."""

    disparity: Float[Array, "B H W 1"] | None
    classes: Int[Array, "B H W"]
    num_classes: int


@struct.dataclass
class Across:
    """Source images pasted on target images."""

    source: Float[Array, "B H W 3"]
    source_disparity: Float[Array, "B H W 1"] | None  # comparable with the target's
    mask: Bool[Array, "B H W 1"]  # true where the source is shown
    image: Float[Array, "B H W 3"]
    label: Int[Array, "B H W"]  # source's ground truth where pasted, else the target's or the teacher's opinion
    weight: Float[Array, "B H W"]
    confident: Float[Array, ""]  # share of the unmixed target's pixels


@struct.dataclass
class Mixed:
    """All mixes of one step; None for one that is switched off."""

    target: Pseudo | None = None
    within: Pseudo | None = None  # target images mixed with each other,
    within_pair: tuple[Pseudo, Pseudo] | None = None  # which are kept, and which are under them,
    within_mask: Bool[Array, "B H W 1"] | None = None
    across: Across | None = None
    teacher_stats: Params | None = None  # if it ran on batch statistics


@flat
def make_mixing(
    network,
    *,
    domains: Domains = Domains(),
    mixing: CrossMixing = CrossMixing(),
    depth_network=None,
    source_depth_network=None,
    class_shares=None,
    **_,
) -> Callable:
    """(state, streams, rng) -> `Mixed`. The teacher runs once, on the unlabeled target images, for both mixes.

    Options as in `domain_adaptation.make_loss`, of which others are ignored; a weight of 0 leaves that mix out. The
    disparities of both domains are normalized alike, per image.
    See Q23 in docs/record/differences.md. Raises ValueError for unknown names.
    """
    within, across = bool(domains.intra_domain), bool(domains.cross_domain)
    rule, cross_rule = find_rule(mixing.mix), find_rule(mixing.cross_mix, "task.cross_mix")
    signed = choose(MARGINS, mixing.margin_sign, "task.margin_sign")
    across_by_depth = across and cross_rule.reads_depth
    reads_depth = across_by_depth or (within and rule.reads_depth)
    read = {"teacher": mixing.teacher, "reads_depth": reads_depth, "depth_network": depth_network}
    pseudo_of = make_pseudo(
        network, **read, factors=lambda: mixing.class_factors(class_shares), temperature=mixing.temperature
    )

    def margins(key, disparity):
        return signed(key, disparity, mixing.mix_margin)[:, None, None, None]

    def mix_across(state: TrainState, streams: Streams, target: Pseudo, rng) -> Across:
        source, image, disparity = streams.source, to_float(streams.source.image), None
        require_same_shape(source, streams.unlabeled)
        if across_by_depth:
            found = known_disparity(source_depth_network, state, source, "source_depth")
            disparity = comparable(found, source.image.shape[1:3], source.valid)
        mask = cross_rule.mask(Source(disparity, source.label, target.num_classes), target, rng, margins)
        known = as_known(target.probability, streams.unlabeled)
        confident = confident_fraction(known, mixing.confidence)
        truth = source.label.astype(jnp.int32)
        mixed, label = paste((image, truth), (target.image, pseudo_label(target.probability)), mask)
        weight = pixel_weights(mask, confidence_weights(known, mixing.confidence, mixing.weighting))
        return Across(image, disparity, mask, mixed, label, weight, confident)

    def mix(state: TrainState, streams: Streams, rng) -> Mixed:
        if not (within or across):
            return Mixed()
        rng_within, rng_across = jax.random.split(rng)
        target, teacher_stats = pseudo_of(state, streams.unlabeled)
        pair = mixed = mask = None
        if within:
            pair, mixed, mask = semi_supervised.mix_within(
                rule, target, streams, state, rng_within, mixing, depth_network
            )
        pasted = mix_across(state, streams, target, rng_across) if across else None
        return Mixed(target, mixed, pair, mask, pasted, teacher_stats)

    return mix


def make_mixer(network, **options) -> Callable:
    """(state, streams, rng) -> {"mixing": Mix, "cross_mixing": Mix}, those that are switched on, for pictures."""
    mixing = make_mixing(network, **options)

    def mixer(state: TrainState, streams: Streams, rng) -> dict[str, Mix]:
        mixed, found = mixing(state, streams, rng), {}
        if mixed.within is not None:
            found["mixing"] = semi_supervised.as_mix(mixed.within_pair, mixed.within, mixed.within_mask)
        if mixed.across is not None:
            found["cross_mixing"] = as_mix(mixed.target, mixed.across)
        return found

    return mixer


def as_mix(target: Pseudo, across: Across) -> Mix:
    """Source pasted on target, for pictures."""
    by_depth = across.source_disparity is not None
    return Mix(
        kept=across.source,
        under=target.image,
        kept_disparity=across.source_disparity,
        under_disparity=target.disparity if by_depth else None,
        mask=across.mask,
        image=across.image,
        label=across.label,
    )


def agree(outputs: Outputs, across: Across, divisor: str = "all") -> tuple[jax.Array, dict[str, jax.Array]]:
    """(loss of the final logits against the labels of the mix, mean over the pixels that `divisor` names; logs)."""
    value = over(divisor, cross_entropy(outputs.logits, across.label, across.weight), across.label)
    pasted = jnp.mean(across.mask.astype(jnp.float32))
    return value, {"cross/agreement": value, "cross/confident": across.confident, "cross/pasted": pasted}


def as_known(probability: Float[Array, "B H W C"], batch: Batch) -> Float[Array, "B H W C"]:
    """The teacher's opinion on the unmixed target, 1 at every pixel of a sample with ground truth, of which the weights
    across domains are made.

    As published ignored pixels of such a sample count here, too; those of a mix within the target do not
    (`losses.pseudo_label.confident_fraction`). See Q18 in docs/record/differences.md.
    """
    if batch.label is None:
        return probability
    return jnp.where(batch.labeled[:, None, None, None], jnp.ones_like(probability), probability)


def require_same_shape(source: Batch, target: Batch) -> None:
    """Raises ValueError that names the remedy unless images of both domains have one shape."""
    if source.image.shape != target.image.shape:
        raise ValueError(
            f"source images are {source.image.shape}, target images {target.image.shape}, but pixel is pasted on "
            "pixel: give both streams one batch size and the same data.crop"
        )
