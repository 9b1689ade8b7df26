"""Cross entropy of the pixels that are hard, online hard example mining (Shrivastava et al. 2016; Yuan et al. 2020)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from sde_seg_jax.bounds import CountOrNone, Probability
from sde_seg_jax.losses.cross_entropy import cross_entropy, cross_entropy_map
from sde_seg_jax.types import IGNORE, View

NEEDS_LABEL = True  # so that it is left out where there is no ground truth
THRESHOLD, MIN_KEPT = 0.7, 200_000  # UniMatch V2 on Cityscapes, of two crops of 798x798


def hard_pixels(
    logits: Float[Array, "B h w C"], label: Int[Array, "B H W"], threshold: float = THRESHOLD, min_kept: int = MIN_KEPT
) -> Bool[Array, "B H W"]:
    """Valid pixels whose label has a probability of at most `threshold`, or of those of the `min_kept` hardest.

    All valid pixels if there are fewer than `min_kept`. The larger of both limits counts: where fewer than `min_kept`
    pixels are under the threshold, so many are taken. Constants: no gradient passes through the choice.
    """
    valid = label != IGNORE
    of_label = jnp.exp(-jax.lax.stop_gradient(cross_entropy_map(logits, label)))
    probability = jnp.where(valid, of_label, 1)
    limit = jnp.asarray(threshold, probability.dtype)
    if min_kept:
        limit = jnp.maximum(limit, smallest(probability, min(probability.size, min_kept)))
    few = valid.sum() < min_kept
    return valid & (few | (probability <= limit))


def smallest(values: Float[Array, "..."], rank: int) -> Float[Array, ""]:
    """The `rank`-th smallest (from 1) of values that are not negative, as sorting finds it.

    Floats above zero are ordered as their bits are: so the answer's bits are found from the highest on, by counting
    what is smaller. That is one pass a bit, where sorting takes many more.
    """
    kind = {4: jnp.int32, 8: jnp.int64}[values.dtype.itemsize]
    bits, one = jax.lax.bitcast_convert_type(jnp.abs(values), kind), jnp.ones((), kind)
    places = 8 * values.dtype.itemsize - 1  # without the sign

    def add(turn, found):
        candidate = found | (one << (places - 1 - turn).astype(kind))
        return jnp.where((bits < candidate).sum() < rank, candidate, found)

    found = jax.lax.fori_loop(0, places, add, jnp.zeros((), kind))
    return jax.lax.bitcast_convert_type(found, values.dtype)


def term(
    view: View, rng: jax.Array, *, threshold: Probability = THRESHOLD, min_kept: CountOrNone = MIN_KEPT
) -> Float[Array, ""]:
    """Mean cross entropy of the hard pixels of the batch, or of its part (`train.micro_batches`). `rng` is not used.

    With outputs.intermediate_logits (multi-task network) the mean of both. A pixel of weight 0 is ignored.
    """
    label = view.label if view.weight is None else jnp.where(view.weight > 0, view.label, IGNORE)
    both = [view.outputs.logits, view.outputs.intermediate_logits]
    found = [
        cross_entropy(logits, jnp.where(hard_pixels(logits, label, threshold, min_kept), label, IGNORE))
        for logits in both
        if logits is not None
    ]
    return sum(found) / len(found)
