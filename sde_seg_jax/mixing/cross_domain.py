"""Mixing across domains: how the margin of DepthMix is drawn there, and how much each pixel counts.

Masks are bool [B,H,W,1]; True shows the source (`mixing.apply.paste(source, target, mask)`). They are those of the
rules, with the source kept on the target: DepthMix is M_i = [d_source_i >= d_target_i - m_i], disparities of both
normalized to [0,1] per image. ClassMix is `masks.class_mix_mask` of the source's labels: floor(n/2) classes,
ignored pixels never drawn (the published code takes ceil(n/2) of the ids, the ignored one among them).

See METHOD 5 in docs/reference/method.md; Q20 and Q23 in docs/record/differences.md.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def signed_margins(draws: Float[Array, " B"], margin: float) -> Float[Array, " B"]:
    """-margin where the draw from [0,1) is above 1/2, else +margin (Q21 in docs/record/differences.md)."""
    return jnp.where(draws > 0.5, -margin, margin).astype(draws.dtype)


def random_margins(key: jax.Array, disparity: Float[Array, "B H W 1"], margin: float) -> Float[Array, " B"]:
    """+margin or -margin for each image, equally likely: source wins a near tie as often as target does."""
    return signed_margins(jax.random.uniform(key, disparity.shape[:1], disparity.dtype), margin)


def fixed_margins(key: jax.Array, disparity: Float[Array, "B H W 1"], margin: float) -> Float[Array, " B"]:
    """+margin for every image: source wins every near tie, as in DepthMix within a domain. `key` is not used."""
    return jnp.full(disparity.shape[:1], margin, disparity.dtype)


def pixel_weights(mask: Bool[Array, "B H W 1"], target: Float[Array, " *BHW"]) -> Float[Array, "B H W"]:
    """1 where the source with its true label is pasted, else the target's weight, a map or one for all."""
    return jnp.where(mask[..., 0], jnp.ones_like(target), target)
