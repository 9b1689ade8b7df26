"""What is outside a map: zeros, or its reflection."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float


def zeros(x: Float[Array, "B H W C"], margin: int) -> Float[Array, "B H+2m W+2m C"]:
    """Pads height and width with zeros on both sides."""
    return jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def same(x: Float[Array, "B H W C"], extent: int, stride: int) -> Float[Array, "B h w C"]:
    """Pads with zeros as TensorFlow's "same": for ceil(size / stride) windows of `extent` pixels, the odd one last."""
    margins = [max(0, (-(-size // stride) - 1) * stride + extent - size) for size in x.shape[1:3]]
    return jnp.pad(x, ((0, 0), *((margin // 2, margin - margin // 2) for margin in margins), (0, 0)))


def reflect(x: Float[Array, "B H W C"], margin: int) -> Float[Array, "B H+2m W+2m C"]:
    """Pads height and width by reflection without repeating the border; needs more than `margin` pixels.

    On a CPU rows and columns are looked up, and the gradient is one sum: pieces put together and their transpose are
    four programs for every shape, which were a quarter of the machine code of a training step. Accelerators move fewer
    bytes with the pieces.
    """
    return lax.platform_dependent(x, cpu=partial(looked_up, margin), default=partial(put_together, margin))


def put_together(margin: int, x: Array) -> Array:
    """`reflect` from pieces."""
    return jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def looked_up(margin: int, x: Array) -> Array:
    """`reflect` by looking up."""
    for axis in (1, 2):
        places = np.pad(np.arange(x.shape[axis]), margin, mode="reflect")
        x = jnp.take(x, places, axis=axis, mode="clip")
    return x


def _backward(margin: int, _, grad):
    return (_folded(_folded(grad, margin, 2), margin, 1),)


looked_up.defvjp(lambda margin, x: (looked_up(margin, x), None), _backward)


def _folded(grad: Array, margin: int, axis: int) -> Array:
    """The gradient without its margins along an axis, each added to the pixels that it mirrors."""
    size = grad.shape[axis] - 2 * margin
    place = lax.broadcasted_iota(jnp.int32, [size if n == axis else 1 for n in range(grad.ndim)], axis)
    one = lambda at: lax.slice_in_dim(grad, at, at + 1, axis=axis)  # noqa: E731
    total = lax.slice_in_dim(grad, margin, margin + size, axis=axis)
    for away in range(1, margin + 1):
        total += jnp.where(place == away, one(margin - away), 0)
        total += jnp.where(place == size - 1 - away, one(margin + size - 1 + away), 0)
    return total
