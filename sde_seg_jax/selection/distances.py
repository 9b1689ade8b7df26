"""How far apart samples are in feature space; one row of the N x N matrix at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

CHUNK_BYTES = 1 << 26  # that one device call compares with the center


def rows(features: Float[np.ndarray, "N h w C"], *, p: float = 2.0, patchwise: bool = False) -> Callable:
    """Returns `row(i)`: the distances [N] from sample i to every sample.

    (sum |x_i - x_j|^p)^(1/p) over positions and channels. patchwise: over channels only, between patches; then the
    mean over the patches of i of the minimum over the patches of j, which is not symmetric (recorded so).
    Computed in the features' precision, at least float32: float16 features need half the memory and are exact inputs.
    The features are split over the local devices by sample and copied there once; on a CPU they are not copied if
    they start at a multiple of 64 bytes (`features.standardize` sees to that). They must not change meanwhile.
    Raises ValueError unless features are floating [N, h, w, C] and 1 <= p < inf.
    """
    features = np.asarray(features)
    if features.ndim != 4 or features.dtype.kind != "f":
        raise ValueError(f"expected floating features [N, h, w, C], got {features.dtype} {features.shape}")
    if not 1 <= p < np.inf:
        raise ValueError(f"p is {p}; a distance needs 1 <= p < inf, such as 2 (Euclidean) or 1")
    features = features.astype(jax.dtypes.canonicalize_dtype(features.dtype), copy=False)
    devices = jax.local_devices()
    bounds = np.linspace(0, len(features), len(devices) + 1).astype(int)
    # Patch by patch, every sample is compared as often as there are patches. Beyond 1,000 samples of 32 patches a call
    # is not vectorized on a CPU and takes 60 times as long.
    comparisons = features.shape[1] * features.shape[2] if patchwise else 1
    step = max(1, CHUNK_BYTES // max(1, features[:1].nbytes * comparisons))
    chunks = [
        (device, jax.device_put(features[start : min(start + step, stop)], device, may_alias=True))
        for device, first, stop in zip(devices, bounds[:-1], bounds[1:], strict=True)
        for start in range(first, stop, step)
    ]

    def row(index: int) -> Float[np.ndarray, "N"]:
        center = {device: jax.device_put(features[index], device) for device in devices}
        parts = [_to_center(chunk, center[device], p=float(p), patchwise=patchwise) for device, chunk in chunks]
        return np.concatenate(jax.device_get(parts))

    return row


@functools.partial(jax.jit, static_argnames=("p", "patchwise"))
def _to_center(
    features: Float[Array, "n h w C"], center: Float[Array, "h w C"], *, p: float, patchwise: bool
) -> Float[Array, "n"]:
    # Differences, not |x|^2 + |c|^2 - 2 x.c: that form cancels for near-duplicates (neighbors in a video), and gains
    # little, because reading the features is what takes the time: 40,000 x 4,096 float32 on two cores, 20 ms against
    # 14 ms for the product alone (32 and 47 GB/s).
    precision = jnp.float32 if features.dtype.itemsize < 4 else features.dtype
    features, center = features.astype(precision), center.astype(precision)
    if not patchwise:
        return _norm(features - center[None], p, (1, 2, 3))
    depth = center.shape[-1]
    other, own = features.reshape(len(features), 1, -1, depth), center.reshape(1, -1, 1, depth)
    return _norm(other - own, p, 3).min(2).mean(1)


def _norm(difference, p: float, axes):
    if p == 2:
        return jnp.sqrt(jnp.square(difference).sum(axes))
    if p == 1:
        return jnp.abs(difference).sum(axes)
    return (jnp.abs(difference) ** p).sum(axes) ** (1 / p)


def pairwise(
    features: Float[np.ndarray, "N h w C"],
    *,
    p: float = 2.0,
    patchwise: bool = False,
    bias: Float[np.ndarray, "N"] | None = None,
) -> Float[np.ndarray, "N N"]:
    """The whole matrix, [i, j] from i to j: for small sets and tests. Arguments as for `rows`.

    bias [N] is added per column, then the diagonal is set to 0 (as published).
    """
    row = rows(features, p=p, patchwise=patchwise)
    matrix = np.stack([row(index) for index in range(len(features))])
    if bias is not None:
        matrix += np.asarray(bias, matrix.dtype)[None]
    np.fill_diagonal(matrix, 0)
    return matrix
