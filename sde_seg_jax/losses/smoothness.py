"""Edge-aware smoothness: disparity should change where the image does."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import area_images
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
    """Mean over scales of smoothness(d_s, I_s) / f_s, I_s the image at the size of d_s, f_s = H / H_s (published: 2^s).

    I_s has the means of the un-augmented image's pixels. Reads image, outputs.disparity. `rng` is not used.
    """
    scales = view.outputs.disparity
    images = area_images(view.image, [d.shape[1:3] for d in scales])
    height = view.image.shape[1]
    pairs = zip(scales, images, strict=True)
    return sum(smoothness(d, image) / (height / d.shape[1]) for d, image in pairs) / len(scales)


def _edges(image, axis):
    return absolute(jnp.diff(image, axis=axis)).mean(-1, keepdims=True)
