"""Learning from a teacher's class probabilities.

See METHOD 3, step 5, in docs/reference/method.md.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sde_seg_jax.lookup import choose
from sde_seg_jax.losses.cross_entropy import cross_entropy
from sde_seg_jax.types import IGNORE

CONFIDENT = 0.968  # Olsson et al., ClassMix (2021)


def pseudo_label(probability: Float[Array, "B H W C"]) -> Int[Array, "B H W"]:
    """The most probable class; IGNORE where all probabilities are 0 (pixels known to have no class).

    See Q19 in docs/record/differences.md.
    """
    label = probability.argmax(-1).astype(jnp.int32)
    return jnp.where(probability.max(-1) > 0, label, IGNORE)


def rarity(shares: Sequence[float], power: float) -> Float[Array, " C"]:
    """share^-power of each class, by which a teacher's probabilities are multiplied (`adjusted`).

    Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021: a network trained on few labels gives rare classes
    too little. shares: of the labeled pixels; a class without any counts as the most frequent.
    """
    known = np.asarray(shares, np.float64)
    return jnp.asarray(np.where(known > 0, known, known.max()) ** -power, jnp.float32)


def adjusted(probability: Float[Array, "B H W C"], factors: Float[Array, " C"]) -> Float[Array, "B H W C"]:
    """Probabilities times a factor for each class, with sum 1 again."""
    weighted = probability * factors.astype(probability.dtype).reshape(1, 1, 1, -1)
    return weighted / weighted.sum(-1, keepdims=True)


def is_confident(probability: Float[Array, "B H W C"], threshold: float = CONFIDENT) -> Bool[Array, "B H W"]:
    """Whether the highest probability is at least `threshold`.

    Compared in float32, whatever the precision: at the threshold itself the rounding decides.
    """
    return probability.max(-1).astype(jnp.float32) >= jnp.float32(threshold)


def confident_fraction(probability: Float[Array, "B H W C"], threshold: float = CONFIDENT) -> Float[Array, ""]:
    """Share of ALL pixels, ignored ones included, that are confident (Q18 in docs/record/differences.md)."""
    return is_confident(probability, threshold).astype(probability.dtype).mean()


def _by_batch(probability, threshold):
    return confident_fraction(probability, threshold)


def _by_pixel(probability, threshold):
    return is_confident(probability, threshold).astype(probability.dtype)


def _alike(probability, threshold):
    return jnp.ones((), probability.dtype)


WEIGHTINGS = {"batch": _by_batch, "pixel": _by_pixel, "none": _alike}


def confidence_weights(
    probability: Float[Array, "B H W C"], threshold: float = CONFIDENT, weighting: str = "batch"
) -> Float[Array, "B H W"]:
    """How much each pixel's pseudo label counts.

    weighting: "batch", as published: the confident share of the batch, the same for all; "pixel": 1 where a pixel is
    confident, else 0 (French et al. 2020; UniMatch); "none": 1. Raises ValueError for another one.
    """
    weight = choose(WEIGHTINGS, weighting, "task.weighting")(probability, threshold)
    return jnp.broadcast_to(weight, probability.shape[:-1])


def _over_all(loss, label):
    return loss


def _over_valid(loss, label):
    return loss * (label.size / jnp.maximum((label != IGNORE).sum(), 1).astype(loss.dtype))


DIVISORS = {"all": _over_all, "valid": _over_valid}


def over(divisor: str, loss: Float[Array, ""], label: Int[Array, "B H W"]) -> Float[Array, ""]:
    """A mean over all pixels of `label` as one over those that `divisor` names.

    "all", as published: ignored pixels count in the denominator. "valid": they do not (UniMatch V2, Yang et al. 2024).
    Raises ValueError for another one.
    """
    return choose(DIVISORS, divisor, "task.divisor")(loss, label)


def pseudo_label_loss(
    logits: Float[Array, "B h w C"],
    probability: Float[Array, "B H W C"],
    threshold: float = CONFIDENT,
    weighting: str = "batch",
    divisor: str = "all",
) -> Float[Array, ""]:
    """Mean of w * cross entropy with the pseudo label over the pixels of `over`; w = `confidence_weights`.

    `probability` is the (mixed) teacher softmax, a constant, all zero where the pixel is to be ignored.
    """
    probability = jax.lax.stop_gradient(probability)
    label = pseudo_label(probability)
    return over(divisor, cross_entropy(logits, label, confidence_weights(probability, threshold, weighting)), label)
