"""The absolute value that losses use."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def absolute(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """|x| with gradient 0 at x = 0, where jnp.abs has gradient 1.

    Exact zeros are common here (equal pixels, constant disparities), and a loss must not push there.
    """
    return jnp.where(x == 0, 0, jnp.abs(x))
