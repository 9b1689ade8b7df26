"""Depth should be that of another network, up to scale and shift (Ranftl et al., MiDaS, 2020; Depth Anything, 2024)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.losses.absolute import absolute
from sde_seg_jax.types import View

NEEDS_REFERENCE = True  # so that it is left out where there is no disparity to imitate


def without_scale_and_shift(disparity: Float[Array, "B H W 1"]) -> Float[Array, "B H W 1"]:
    """(d - t) / s of each image with its median t and s = mean |d - t|; a constant map becomes 0."""
    batch = disparity.shape[0]
    shift = jnp.median(disparity.reshape(batch, -1), axis=1).reshape(batch, 1, 1, 1)
    centred = disparity - shift
    scale = absolute(centred).mean((1, 2, 3), keepdims=True)
    return centred / jnp.where(scale > 0, scale, 1)


def term(view: View, rng: jax.Array) -> Float[Array, ""]:
    """Mean |a - b| of the finest outputs.disparity and reference_disparity, both `without_scale_and_shift`.

    The reference is a constant; the prediction is resized to it. `rng` is not used.
    """
    reference = jax.lax.stop_gradient(view.reference_disparity)
    found = resize_bilinear(view.outputs.disparity[0], reference.shape[1:3])
    return absolute(without_scale_and_shift(found) - without_scale_and_shift(reference)).mean()
