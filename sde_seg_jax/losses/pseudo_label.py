"""Learning from a teacher's class probabilities (METHOD section 3, step 5)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sde_seg_jax.losses.cross_entropy import cross_entropy
from sde_seg_jax.types import IGNORE

CONFIDENT = 0.968  # Olsson et al., ClassMix (2021)


def pseudo_label(probability: Float[Array, "B H W C"]) -> Int[Array, "B H W"]:
    """The most probable class; IGNORE where all probabilities are 0 (pixels known to have no class, Q19)."""
    label = probability.argmax(-1).astype(jnp.int32)
    return jnp.where(probability.max(-1) > 0, label, IGNORE)


def confident_fraction(probability: Float[Array, "B H W C"], threshold: float = CONFIDENT) -> Float[Array, ""]:
    """Share of ALL pixels, ignored ones included, whose highest probability is at least `threshold` (Q18).

    Compared in float32, whatever the precision: at the threshold itself the rounding decides.
    """
    confident = probability.max(-1).astype(jnp.float32) >= jnp.float32(threshold)
    return confident.astype(probability.dtype).mean()


def pseudo_label_loss(
    logits: Float[Array, "B h w C"], probability: Float[Array, "B H W C"], threshold: float = CONFIDENT
) -> Float[Array, ""]:
    """Mean over all pixels of w * cross entropy with the pseudo label; w = the batch's confident fraction.

    `probability` is the (mixed) teacher softmax, a constant, all zero where the pixel is to be ignored.
    """
    probability = jax.lax.stop_gradient(probability)
    label = pseudo_label(probability)
    weight = jnp.full(label.shape, confident_fraction(probability, threshold))
    return cross_entropy(logits, label, weight)
