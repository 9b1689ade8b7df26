"""Edge-aware smoothness: disparity should change where the image does."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import area_pyramid
from sde_seg_jax.losses.absolute import absolute
from sde_seg_jax.types import View


def smoothness(disparity: Float[Array, "B H W 1"], image: Float[Array, "B H W 3"]) -> Float[Array, ""]:
    """`edge_aware_variation` of d / (mean(d) + 1e-7), mean per image: it can't be lowered by shrinking d."""
    relative = disparity / (disparity.mean((1, 2), keepdims=True) + 1e-7)
    return edge_aware_variation(relative, image)


def edge_aware_variation(disparity: Float[Array, "B H W 1"], image: Float[Array, "B H W 3"]) -> Float[Array, ""]:
    """mean |dx d| exp(-|dx I|) + mean |dy d| exp(-|dy I|), |dx I| the mean over channels, I in [0,1].

    Raises ValueError if the two differ in size.
    """
    if disparity.shape[:3] != image.shape[:3]:
        raise ValueError(
            f"disparity is {disparity.shape[:3]} but the image {image.shape[:3]} (batch, height, width); "
            "pass the image pyramid's level of that scale"
        )
    return sum((absolute(jnp.diff(disparity, axis=axis)) * jnp.exp(-_edges(image, axis))).mean() for axis in (1, 2))


def term(view: View, rng: jax.Array) -> Float[Array, ""]:
    """Mean over scales of smoothness(d_s, I_s) / 2^s, I_s the 2x2-mean pyramid of the un-augmented image.

    Reads image, outputs.disparity (scale s is its position in the tuple). Deterministic: `rng` is not used.
    """
    scales = view.outputs.disparity
    pyramid = area_pyramid(view.image, len(scales))
    return sum(smoothness(d, i) / 2**s for s, (d, i) in enumerate(zip(scales, pyramid, strict=True))) / len(scales)


def _edges(image, axis):
    return absolute(jnp.diff(image, axis=axis)).mean(-1, keepdims=True)
