"""Coordinates need more bits than features: the one place that says how many."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def at_least_float32(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x` in float32 if it came in a shorter float format, unchanged (float32, float64) otherwise."""
    return x.astype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x
