"""Changing the size of images and feature maps [B,H,W,C]; sizes are (height, width).

Bilinear resizing is separable and linear, so it is two small matrix products: fast on every accelerator, and
the gradient is the transposed product instead of a scatter.
"""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float


def resize_bilinear(x: Float[Array, "B H W C"], size: tuple[int, int]) -> Float[Array, "B h w C"]:
    """Bilinear with half-pixel centres (edges map to edges), border extended, without antialiasing.

    position(i) = (i + 0.5) * from / to - 0.5; PyTorch's interpolate(mode="bilinear", align_corners=False).
    """
    return _resize_by(x, size, lambda n, m: _interpolation((np.arange(m) + 0.5) * n / m - 0.5, n))


def resize_bilinear_corners(x: Float[Array, "B H W C"], size: tuple[int, int]) -> Float[Array, "B h w C"]:
    """Bilinear with aligned corners: first and last pixel centres map onto each other.

    position(i) = i * (from - 1) / (to - 1); PyTorch's interpolate(mode="bilinear", align_corners=True).
    """
    if x.ndim == 4 and x.shape[1] != size[0] and x.shape[2] != size[1]:
        forms = {"cpu": columns_first, "default": rows_first}
        return lax.platform_dependent(x, **{k: functools.partial(form, size) for k, form in forms.items()})
    return rows_first(size, x)


def rows_first(size: tuple[int, int], x: Float[Array, "B H W C"]) -> Float[Array, "B h w C"]:
    """Aligned corners as accelerators have it."""
    return _resize_by(x, size, _between_corners)


def columns_first(size: tuple[int, int], x: Float[Array, "B H W C"]) -> Float[Array, "B h w C"]:
    """Then rows as a product of each image, whose result needs no transposing, which takes a CPU a while."""
    columns = _resize_by(x, (x.shape[1], size[1]), _between_corners)
    weights = jnp.asarray(_between_corners(x.shape[1], size[0]), x.dtype)
    weights = jnp.broadcast_to(weights, (x.shape[0], *weights.shape))
    return jnp.einsum("bih,bhwc->biwc", weights, columns, precision="highest")


def _between_corners(n: int, m: int) -> np.ndarray:
    return _interpolation(np.arange(m) * (n - 1) / max(m - 1, 1), n)


def upsample_nearest_2x(x: Array) -> Array:
    """Each pixel becomes 2x2 equal ones: [B,H,W,C] -> [B,2H,2W,C]."""
    batch, height, width, channels = x.shape
    repeated = jnp.broadcast_to(x[:, :, None, :, None], (batch, height, 2, width, 2, channels))
    return repeated.reshape(batch, 2 * height, 2 * width, channels)


def area_pyramid(image: Float[Array, "B H W C"], levels: int) -> list[Array]:
    """`levels` images, each the 2x2 mean of the one before; the first is `image` itself.

    Raises ValueError if the size cannot be halved levels-1 times.
    """
    step = 2 ** (levels - 1)
    if image.shape[1] % step or image.shape[2] % step:
        raise ValueError(
            f"a pyramid of {levels} levels needs sizes that are multiples of {step}, got "
            f"{image.shape[1:3]}; change the crop to such a size"
        )
    pyramid = [image]
    for _ in range(levels - 1):
        batch, height, width, channels = pyramid[-1].shape
        pyramid.append(pyramid[-1].reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4)))
    return pyramid


def area_images(image: Float[Array, "B H W C"], sizes: Sequence[tuple[int, int]]) -> list[Array]:
    """The image at each of `sizes`, a pixel being the mean of what it covers.

    As `area_pyramid` has it where each size is half the one before, the first being the image's own.
    """
    height, width = image.shape[1:3]
    step = 2 ** (len(sizes) - 1)
    halved = [(height >> level, width >> level) for level in range(len(sizes))]
    if list(sizes) == halved and height % step == width % step == 0:
        return area_pyramid(image, len(sizes))
    return [_resize_by(image, size, _covered) for size in sizes]


def _covered(n: int, m: int) -> np.ndarray:
    """Matrix [m, n]: the share of each of n pixels in each of m that cover the same length."""
    edges = np.arange(m + 1) * n / m
    pixels = np.arange(n)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(overlap, 0) * m / n


def _resize_by(x, size, matrix):
    """`matrix(n, m)` [m, n] says what m values are of n."""
    if x.ndim != 4:
        raise ValueError(f"expected [B,H,W,C], got shape {x.shape}; add the batch or channel axis")
    for axis, spec in ((1, "ih,bhwc->biwc"), (2, "jw,bhwc->bhjc")):
        n, m = x.shape[axis], size[axis - 1]
        if n != m:
            weights = jnp.asarray(matrix(n, m), dtype=x.dtype)
            # Highest precision: the short formats of matrix units (TF32, bfloat16) would round the values.
            x = jnp.einsum(spec, weights, x, precision="highest")
    return x


def _interpolation(position: np.ndarray, n: int) -> np.ndarray:
    """Matrix [outputs, n] that interpolates linearly at `position`, clamped to the n input pixels."""
    position = np.clip(position, 0, n - 1)
    left = np.minimum(np.floor(position).astype(int), max(n - 2, 0))
    weights = np.zeros((len(position), n))
    rows = np.arange(len(position))
    weights[rows, left] += 1 - (position - left)
    weights[rows, np.minimum(left + 1, n - 1)] += position - left
    return weights
