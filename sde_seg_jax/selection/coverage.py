"""How well the labeled samples cover the rest: for choosing how many to label."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from sde_seg_jax.selection import distances


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Entry k: distance of the unlabeled samples to the nearest of the first k+1 labeled ones."""

    largest: Float[np.ndarray, "K"]
    mean: Float[np.ndarray, "K"]


def coverage(
    features: Float[np.ndarray, "N h w C"],
    order: Sequence[int],
    p: float = 2.0,
    patchwise: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Coverage:
    """Largest and mean distance of what is unlabeled after labeling the first 1..K of `order`; 0 when none is left.

    Distances as in farthest-point sampling without bias (`distances.rows`), in its time and memory. progress is
    called with the number of samples done. Raises ValueError for duplicates or indices out of range.
    """
    features, order = np.asarray(features), np.asarray(order, np.int64)
    if ((order < 0) | (order >= len(features))).any() or len(np.unique(order)) < len(order):
        raise ValueError(f"expected different indices of {len(features)} samples, got duplicates or indices outside")
    row = distances.rows(features, p=p, patchwise=patchwise)
    nearest, is_open = np.full(len(features), np.inf), np.ones(len(features), bool)
    largest, mean = np.zeros(len(order)), np.zeros(len(order))
    for done, index in enumerate(order):
        np.minimum(nearest, row(index), out=nearest)
        is_open[index] = False
        if is_open.any():
            left = nearest[is_open]
            largest[done], mean[done] = left.max(), left.mean()
        if progress is not None:
            progress(done + 1)
    return Coverage(largest, mean)
