"""Convolution as PyTorch computes it, padded alike on all sides, in the form that compiles to fast code."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.dilated import dilated_convolution
from sde_seg_jax.models.padding import zeros

FEW = 16  # positions of a map up to which a product is faster


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
    if margin and pad is not zeros:
        x, margin = pad(x, margin), 0
    if len(kernel) == 1:
        forms = {"cpu": pointwise, "default": _by_xla}
        return lax.platform_dependent(x, kernel, **{k: functools.partial(form, stride) for k, form in forms.items()})
    return _by_xla(stride, x, kernel, margin, dilation)


def pointwise(stride: int, x: Float[Array, "B H W I"], kernel: Float[Array, "1 1 I O"]) -> Float[Array, "B h w O"]:
    """A convolution of 1x1 pixel as one product, and so are its gradients: XLA:CPU's own take 4 to 14 times as long."""
    return jnp.einsum("bhwi,io->bhwo", x[:, ::stride, ::stride], kernel[0, 0])


def _by_xla(stride: int, x, kernel, margin: int = 0, dilation: int = 1):
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=[(margin, margin)] * 2,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def product_of_patches(
    padded: Float[Array, "B H W I"], kernel: Float[Array, "k k I O"], stride: int, dilation: int
) -> Float[Array, "B h w O"]:
    """The convolution of a padded map as one matrix product of its patches.

    For maps of a few pixels, where XLA:CPU's own convolution takes up to 15 times as long.
    """
    patches = padded if len(kernel) == stride == 1 else _patches(padded, len(kernel), stride, dilation)
    return jnp.einsum("bhwk,ko->bhwo", patches, kernel.reshape(-1, kernel.shape[-1]))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _patches(padded: Float[Array, "B H W I"], taps: int, stride: int, dilation: int) -> Float[Array, "B h w kkI"]:
    """What lies under the kernel at each position, by one lookup: each slice would compile to code of its own."""
    size = padded.shape[1:3]
    height, width = ((length - dilation * (taps - 1) - 1) // stride + 1 for length in size)
    places = _places(size, taps, stride, dilation)
    found = jnp.take(padded.reshape(padded.shape[0], -1, padded.shape[-1]), places.ravel(), axis=1, mode="clip")
    return found.reshape(padded.shape[0], height, width, -1)


def _patches_backward(taps, stride, dilation, like, grad):
    """Each pixel's sum over the patches it lies in; as a transposed lookup this would be a slow scatter."""
    batch, height, width, channels = like.shape
    places = _places((height, width), taps, stride, dilation)  # [positions, taps]
    sources = np.full((height * width, taps * taps), -1)
    for tap in range(taps * taps):
        sources[places[:, tap], tap] = np.arange(len(places)) * taps * taps + tap
    found = jnp.take(grad.reshape(batch, -1, channels), np.maximum(sources, 0).ravel(), axis=1, mode="clip")
    found = jnp.where((sources >= 0)[..., None], found.reshape(batch, *sources.shape, channels), 0)
    total = functools.reduce(jnp.add, (found[:, :, tap] for tap in reversed(range(taps * taps))))
    return (total.reshape(like.shape),)


_patches.defvjp(lambda padded, *options: (_patches(padded, *options), padded), _patches_backward)


def _places(size: tuple[int, int], taps: int, stride: int, dilation: int) -> np.ndarray:
    """[positions, taps]: where in a map, flattened, the kernel's taps lie at each position."""
    starts = (np.arange(0, length - dilation * (taps - 1), stride) for length in size)
    rows, columns = (np.add.outer(start, dilation * np.arange(taps)) for start in starts)  # [h k], [w k]
    return (rows[:, None, :, None] * size[1] + columns[None, :, None, :]).reshape(-1, taps * taps)


def _one_more(array: Array, axis: int) -> Array:
    """A zero behind the end of an axis."""
    return jnp.pad(array, [(0, int(axis == n)) for n in range(array.ndim)])
