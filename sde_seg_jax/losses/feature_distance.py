"""Keep the encoder's features near those of its ImageNet initialisation, so that they stay semantic."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sde_seg_jax.geometry.precision import at_least_float32
from sde_seg_jax.types import View


def feature_distance(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, ""]:
    """Frobenius norm of the whole tensor a - b; grows with batch and crop size, as published.

    The gradient is zero, not NaN, at a = b, where training starts. See Q6 in docs/record/differences.md.
    """
    squared = jnp.sum((at_least_float32(a) - at_least_float32(b)) ** 2)
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)


def term(view: View, rng: jax.Array) -> Float[Array, ""]:
    """Distance of outputs.bottleneck to reference_bottleneck, a constant. `rng` is not used."""
    return feature_distance(view.outputs.bottleneck, jax.lax.stop_gradient(view.reference_bottleneck))
