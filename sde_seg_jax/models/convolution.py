"""Convolution as PyTorch computes it, padded alike on all sides, in the form that compiles to fast code."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.dilated import dilated_convolution

FEW = 16  # positions of a map up to which a product is faster


def zeros(x: Float[Array, "B H W C"], margin: int) -> Float[Array, "B H+2m W+2m C"]:
    """Pads height and width with zeros on both sides."""
    return jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def reflect(x: Float[Array, "B H W C"], margin: int) -> Float[Array, "B H+2m W+2m C"]:
    """Pads height and width by reflection without repeating the border; needs more than `margin` pixels."""
    return jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")


def convolve(
    x: Float[Array, "B H W I"],
    kernel: Float[Array, "k k I O"],
    *,
    stride: int = 1,
    dilation: int = 1,
    pad: Callable = zeros,
) -> Float[Array, "B h w O"]:
    """y[h,w] = sum_ij x[h stride + (i - c) dilation, ...] K[i,j], c = k // 2, k odd; `pad` says what is outside.

    SAME padding would not do: for stride 2 it pads only the far sides, which shifts the features by half a pixel
    against weights trained in PyTorch. All forms give the same numbers up to the order of their sums.
    """
    margin = dilation * (kernel.shape[0] // 2)
    if math.prod(-(-size // stride) for size in x.shape[1:3]) <= FEW:
        return product_of_patches(pad(x, margin) if margin else x, kernel, stride, dilation)
    if dilation > 1 and stride == 1 and pad is zeros:
        return dilated_convolution(x, kernel, dilation)
    if x.shape[-1] == 3:  # images: XLA:CPU takes up to 20 times as long from 3 to 24 channels as from 4
        x, kernel = _one_more(x, 3), _one_more(kernel, 2)
    explicit = margin and pad is not zeros
    return lax.conv_general_dilated(
        pad(x, margin) if explicit else x,
        kernel,
        window_strides=(stride, stride),
        padding=[(0, 0)] * 2 if explicit else [(margin, margin)] * 2,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def product_of_patches(
    padded: Float[Array, "B H W I"], kernel: Float[Array, "k k I O"], stride: int, dilation: int
) -> Float[Array, "B h w O"]:
    """The convolution of a padded map as one matrix product of its patches.

    For maps of a few pixels, where XLA:CPU's own convolution takes up to 15 times as long.
    """
    taps = range(kernel.shape[0])
    height, width = ((size - dilation * (len(taps) - 1) - 1) // stride + 1 for size in padded.shape[1:3])

    def shifted(i, j):
        top, left = dilation * i, dilation * j
        return padded[
            :, top : top + stride * (height - 1) + 1 : stride, left : left + stride * (width - 1) + 1 : stride
        ]

    patches = jnp.concatenate([shifted(i, j) for i in taps for j in taps], axis=-1)
    return jnp.einsum("bhwk,ko->bhwo", patches, kernel.reshape(-1, kernel.shape[-1]))


def _one_more(array: Array, axis: int) -> Array:
    """A zero behind the end of an axis."""
    return jnp.pad(array, [(0, int(axis == n)) for n in range(array.ndim)])
