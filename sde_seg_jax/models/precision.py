"""Compute precision of the models."""

import jax.numpy as jnp
from jaxtyping import Array, Float

KNOWN = ("float32", "bfloat16")


def compute_dtype(name: str | None):
    """The dtype convolutions run in: "float32", "bfloat16", or None for the input's own.

    Parameters and batch-norm statistics stay float32. Raises ValueError for any other name.
    """
    if name is None:
        return None
    if name not in KNOWN:
        raise ValueError(f"compute dtype {name!r} is unknown; use one of {', '.join(KNOWN)} or None")
    return jnp.dtype(name)


def at_least_float32(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x` in float32, or in float64 if it is float64: for statistics and for everything a loss reads."""
    return x if jnp.finfo(x.dtype).bits >= 32 else x.astype(jnp.float32)
