"""Gaussian blur with one sigma per image."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def blur_kernel_size(length: int, fraction: float = 0.1) -> int:
    """The largest odd number not above ceil(fraction * length): the kernel size of a side, as published.

    51 at 512 pixels. Sides of 20 pixels and less give 1, which leaves that axis as it is.
    """
    size = math.ceil(fraction * length)
    return max(1, size - 1 + size % 2)


def gaussian_kernel1d(size: int, sigma: Float[Array, "B"]) -> Float[Array, "B size"]:
    """exp(-(i - centre)^2 / (2 sigma^2)), normalised to sum 1. Raises ValueError unless `size` is odd."""
    if size % 2 != 1:
        raise ValueError(f"expected an odd kernel size, got {size}; use {size + 1}")
    offset = jnp.arange(size, dtype=sigma.dtype) - size // 2
    taps = jnp.exp(-(offset[None] ** 2) / (2 * sigma[:, None] ** 2))
    return taps / taps.sum(axis=1, keepdims=True)


def gaussian_blur(
    image: Float[Array, "B H W C"], sigma: Float[Array, "B"], kernel_size: tuple[int, int]
) -> Float[Array, "B H W C"]:
    """Gaussian blur, sigma in pixels, kernel_size = (rows, columns), borders mirrored without repeat.

    Each axis is one product with a banded matrix per image, so the per-image sigma costs nothing extra and
    the batch splits over devices. Raises ValueError if a kernel reaches further than the mirrored border (2 *
    side).
    """
    down = _blur_matrix(image.shape[1], gaussian_kernel1d(kernel_size[0], sigma))
    across = _blur_matrix(image.shape[2], gaussian_kernel1d(kernel_size[1], sigma))
    image = jnp.einsum("bih,bhwc->biwc", down, image, precision="highest")
    return jnp.einsum("bjw,bhwc->bhjc", across, image, precision="highest")


def _blur_matrix(length: int, kernel: Array) -> Float[Array, "B length length"]:
    """M[i,j]: weight of input j in output i, direct plus mirrored at either end."""
    radius = kernel.shape[1] // 2
    if radius >= length:
        raise ValueError(f"kernel size {2 * radius + 1} exceeds what a side of {length} can mirror; lower it")
    i, j = np.arange(length)[:, None], np.arange(length)[None]
    direct = _tap(kernel, np.abs(i - j), True)
    return direct + _tap(kernel, i + j, j > 0) + _tap(kernel, 2 * (length - 1) - i - j, j < length - 1)


def _tap(kernel, distance, where):
    """[B, length, length]: the tap at that distance from the centre, else (beyond it, not `where`) 0."""
    radius = kernel.shape[1] // 2
    inside = (distance <= radius) & where
    return jnp.where(inside[None], kernel[:, radius + np.minimum(distance, radius)], 0)
