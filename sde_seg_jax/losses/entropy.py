"""How undecided a segmentation is, per pixel."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def pixel_entropy(logits: Float[Array, "B H W C"]) -> Float[Array, "B H W"]:
    """-sum_c p log p / log C: 0 for a certain class, 1 for equal probabilities."""
    log_probability = jax.nn.log_softmax(logits, axis=-1)
    return -(jnp.exp(log_probability) * log_probability).sum(-1) / math.log(logits.shape[-1])


def stretch(entropy: Float[Array, "B H W"]) -> Float[Array, "B H W"]:
    """The map moved and scaled so that the batch covers [0,1]; a constant map becomes 0."""
    low, high = entropy.min(), entropy.max()
    span = jnp.where(high > low, high - low, 1)
    return (entropy - low) / span
