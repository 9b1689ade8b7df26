"""Decoder features as points in space: pooled to a small grid and standardized per channel.

See METHOD 4 in docs/reference/method.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

CHUNK_BYTES = 1 << 25  # of the input at a time, so that temporary float64 copies stay small
ALIGNMENT = 64  # bytes: JAX reads a host array of this alignment on a CPU without copying it
POOLS = {"average": jnp.mean, "max": jnp.max}


def adaptive_pool(
    features: Float[Array, "B h w C"], size: tuple[int, int] = (4, 8), kind: str = "average"
) -> Float[Array, "B a b C"]:
    """Any feature map to a grid of `size` (a, b): bin i of n over length L covers floor(i L/n) to ceil((i+1) L/n).

    These are PyTorch's adaptive bins; neighbors overlap where n does not divide L. kind: "average" or "max".
    Raises ValueError for another kind, a size below 1 or features that are no [B, h, w, C].
    """
    if kind not in POOLS:
        raise ValueError(f"unknown pooling '{kind}'; use one of {sorted(POOLS)}")
    if features.ndim != 4 or min(size) < 1:
        raise ValueError(f"expected features [B, h, w, C] and a size of at least 1x1, got {features.shape} and {size}")
    for axis, bins in zip((1, 2), size, strict=True):
        length = features.shape[axis]
        edges = [(i * length // bins, -(-(i + 1) * length // bins)) for i in range(bins)]
        parts = [jax.lax.slice_in_dim(features, start, stop, axis=axis) for start, stop in edges]
        features = jnp.stack([POOLS[kind](part, axis=axis) for part in parts], axis=axis)
    return features


def standardize(features: Float[np.ndarray, "N h w C"], names: Sequence[str] | None = None) -> np.ndarray:
    """(x - mean) / std of each channel over all samples and positions, std unbiased; a constant channel becomes 0.

    Returns a new host array of the same shape and type, aligned so that JAX on a CPU need not copy it; beside it only
    a chunk is held. Raises ValueError naming the first sample with NaN or infinite features (by `names`, else number).
    """
    features = np.asarray(features)
    if features.ndim != 4 or not len(features):
        raise ValueError(f"expected features [N, h, w, C] of at least one sample, got shape {features.shape}")
    _require_finite(features, names)
    # Relative to one of its values, a constant channel is exactly 0: rounding can't turn it into noise of std 1.
    origin = features[0, 0, 0].astype(np.float64)
    total = np.prod(features.shape[:3])
    mean = sum((chunk - origin).sum((0, 1, 2)) for _, chunk in _chunks(features)) / total
    squares = sum(np.square(chunk - origin - mean).sum((0, 1, 2)) for _, chunk in _chunks(features))
    std = np.sqrt(squares / max(total - 1, 1))
    scale = np.divide(1, std, out=np.zeros_like(std), where=std > 0)
    result = empty(features.shape, features.dtype)
    for rows, chunk in _chunks(features):
        result[rows] = (chunk - origin - mean) * scale
    return result


def _chunks(features):
    step = max(1, CHUNK_BYTES // features[0].nbytes)
    for start in range(0, len(features), step):
        rows = slice(start, start + step)
        yield rows, features[rows]


def _require_finite(features, names) -> None:
    bad = np.concatenate([~np.isfinite(chunk).all((1, 2, 3)) for _, chunk in _chunks(features)])
    if bad.any():
        first = int(bad.argmax())
        name = first if names is None else f"'{names[first]}'"
        raise ValueError(
            f"features of sample {name} are NaN or infinite ({bad.sum()} of {len(bad)} samples); "
            "check that image and the depth checkpoint"
        )


def empty(shape: tuple[int, ...], dtype) -> np.ndarray:
    """An uninitialized array whose start is aligned: filled with features, `distances.rows` need not copy it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)
