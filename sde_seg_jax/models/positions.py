"""Position embeddings of a transformer for images of any size: bicubic, as PyTorch computes it."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SHARPNESS = -0.75  # of the cubic, as PyTorch's interpolate has it
SHARPNESS_ANTIALIASED = -0.5  # and with antialiasing


def resized_positions(
    embedding: Float[Array, "1 1+GG C"], size: tuple[int, int], *, antialias: bool = False, offset: float = 0.0
) -> Float[Array, "1 1+hw C"]:
    """The embeddings of a class token and of G x G patches, for `size` (h, w) patches; the class token's stays.

    `offset`: patches are assumed to lie as if there were so many more of them, which is how facebookresearch's code
    without registers guards against rounding (0.1); transformers has 0.
    """
    grid = math.isqrt(embedding.shape[1] - 1)
    if size == (grid, grid):
        return embedding
    rows, columns = (jnp.asarray(bicubic(grid, n, antialias=antialias, offset=offset), embedding.dtype) for n in size)
    patches = embedding[0, 1:].reshape(grid, grid, -1)
    found = jnp.einsum("ia,abc->ibc", rows, patches, precision="highest")
    found = jnp.einsum("jb,ibc->ijc", columns, found, precision="highest")
    return jnp.concatenate([embedding[:, :1], found.reshape(1, size[0] * size[1], -1)], axis=1)


def bicubic(n: int, m: int, *, antialias: bool = False, offset: float = 0.0) -> np.ndarray:
    """Matrix [m, n]: m values between n, borders repeated; with `antialias` as a mean where m is smaller."""
    step = n / (m + offset)
    if antialias:
        return _antialiased(n, m, step)
    position = (np.arange(m) + 0.5) * step - 0.5
    left = np.floor(position).astype(int)
    weights = np.zeros((m, n))
    for tap in range(-1, 3):
        place = np.clip(left + tap, 0, n - 1)
        weights[np.arange(m), place] += _cubic(position - (left + tap), SHARPNESS)
    return weights


def _antialiased(n: int, m: int, step: float) -> np.ndarray:
    wide = max(step, 1.0)
    weights = np.zeros((m, n))
    for row in range(m):
        centre = (row + 0.5) * step
        first, last = max(int(centre - 2 * wide + 0.5), 0), min(int(centre + 2 * wide + 0.5), n)
        found = _cubic((np.arange(first, last) - centre + 0.5) / wide, SHARPNESS_ANTIALIASED)
        weights[row, first:last] = found / found.sum()
    return weights


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Keys' kernel (1981)."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))
