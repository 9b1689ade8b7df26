"""Reverse Huber loss: absolute for small errors, squared for large ones (Laina et al. 2016)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.losses.absolute import absolute
from sde_seg_jax.types import View

NEEDS_REFERENCE = True  # so that it is left out where there is no disparity to imitate


def berhu(
    prediction: Float[Array, "B H W 1"],
    target: Float[Array, "B H W 1"],
    mask: Float[Array, "B H W 1"],
) -> Float[Array, ""]:
    """Mean over ALL pixels, masked ones counting 0, of e if e <= c else (e^2 + c^2) / 2c, e = mask |p - t|.

    c = max(e) / 5 over the batch is a constant. Equal inputs have gradient zero, where the published loss
    has NaN (Q27 in docs/record/differences.md). For logarithmic disparities pass log1p of both.
    """
    error = absolute(prediction - target) * mask
    threshold = jax.lax.stop_gradient(0.2 * error.max())
    divisor = jnp.where(threshold > 0, 2 * threshold, 1)
    return jnp.where(error <= threshold, error, (error**2 + threshold**2) / divisor).mean()


def term(view: View, rng: jax.Array, *, bottom: float = 0.1) -> Float[Array, ""]:
    """The finest outputs.disparity should equal reference_disparity; the lowest `bottom` of rows is masked.

    There the camera's own car is. The reference is a constant; the prediction is resized to it. `rng` is not
    used.
    """
    reference = jax.lax.stop_gradient(view.reference_disparity)
    height, width = reference.shape[1:3]
    kept = jnp.arange(height) < int((1 - bottom) * height)
    mask = jnp.broadcast_to(kept[None, :, None, None], reference.shape).astype(reference.dtype)
    return berhu(resize_bilinear(view.outputs.disparity[0], (height, width)), reference, mask)
