"""Running a network on a batch: in training mode with its running statistics, in evaluation mode without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from sde_seg_jax.types import Outputs, Params, Variables


def default_float() -> jnp.dtype:
    """The float a step computes in: float32, or float64 where jax has 64 bits switched on."""
    return jax.dtypes.canonicalize_dtype(float)


def to_float(image: jax.Array) -> jax.Array:
    """uint8 [0,255] -> [0,1] in `default_float`."""
    return image.astype(default_float()) / 255.0


def forward(
    network: Any,
    params: Params,
    stats: Params,
    image: jax.Array,
    dropout: jax.Array | None,
    factors: Sequence[jax.Array] | None = None,
) -> tuple[Outputs, Params]:
    """Training mode on images [B,H,W,3] in [0,1]: (outputs, new running statistics). No dropout without a key.

    factors: [B,c] of the channels of each of the encoder's maps, for a network that takes them.
    """
    outputs, changed = network.apply(
        {"params": params, "batch_stats": stats},
        image,
        train=True,
        dropout=dropout is not None,
        **({} if factors is None else {"factors": factors}),
        rngs={} if dropout is None else {"dropout": dropout},
        mutable=["batch_stats"],
    )
    return outputs, changed.get("batch_stats", stats)  # none without batch norm


def predict(network: Any, variables: Variables, image: jax.Array) -> Outputs:
    """Evaluation mode: running statistics, no dropout. Images in [0,1]."""
    return network.apply({"params": variables.params, "batch_stats": variables.batch_stats}, image, train=False)
