"""Farthest-point sampling: each pick is the sample farthest from everything chosen before it.

See METHOD 4 in docs/reference/method.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from sde_seg_jax.selection import distances as feature_distances
from sde_seg_jax.selection.spread import Spread


@dataclasses.dataclass(frozen=True)
class Picks:
    """Chosen samples in order, and how far each was from those chosen before it (bias included)."""

    indices: Int[np.ndarray, "k"]
    distances: Float[np.ndarray, "k"]


def sample(
    features: Float[np.ndarray, "N h w C"],
    chosen: Sequence[int],
    count: int,
    *,
    bias: Float[np.ndarray, "N"] | None = None,
    candidates: Sequence[int] | None = None,
    p: float = 2.0,
    patchwise: bool = False,
    progress: Callable[[int], None] | None = None,
    spread: Spread | None = None,
) -> Picks:
    """Picks `count` samples, each time arg max over j of bias[j] + min over chosen i of distance(i, j).

    O(N D) time a pick and O(N) memory beside the features: no N x N matrix. Ties go to the first index.
    chosen: what is labeled already, at least one sample (published: the first of a seeded permutation).
    bias: for example 1000 times the uncertainty; that of chosen samples does not matter. candidates: pick only among
    these (preselection). p, patchwise: `distances.rows`. progress is called with the number of picks so far.
    spread: each pick is one that it allows.
    Raises ValueError for impossible arguments: more picks than candidates, duplicates, indices out of range, NaN.
    """
    features = np.asarray(features)
    known = _checked(len(features), chosen, count, candidates)
    bias = _checked_bias(bias, len(features))
    return _pick(feature_distances.rows(features, p=p, patchwise=patchwise), *known, count, bias, progress, spread)


def from_matrix(
    distances: Float[np.ndarray, "N N"], chosen: Sequence[int], count: int, candidates: Sequence[int] | None = None
) -> Picks:
    """The same picks from a whole matrix, [i, j] from i to j with the bias added (`distances.pairwise`)."""
    distances = np.asarray(distances)
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
        raise ValueError(f"expected a square matrix of distances, got shape {distances.shape}")
    known = _checked(len(distances), chosen, count, candidates)
    return _pick(distances.__getitem__, *known, count, None, None)


def _pick(row, chosen, is_open, count, bias, progress, spread=None) -> Picks:
    nearest = np.minimum.reduce([_finite(row, index) for index in chosen])
    indices, found = [], []
    while len(indices) < count:
        if indices:
            np.minimum(nearest, _finite(row, indices[-1]), out=nearest)
        score = nearest if bias is None else nearest + bias
        # closed by this mask, not by their distance of 0: constant features, too, give distinct picks
        index = int(np.argmax(np.where(is_open if spread is None else spread.allowed(is_open), score, -np.inf)))
        is_open[index] = False
        if spread is not None:
            spread.take(index)
        indices.append(index)
        found.append(score[index])
        if progress is not None:
            progress(len(indices))
    return Picks(np.array(indices, np.int64), np.array(found, np.float32))


def _finite(row, index):
    values = row(index)
    good = np.isfinite(values)
    if not good.all():
        other = int(good.argmin())
        raise ValueError(
            f"distance from sample {index} to sample {other} is {values[other]}; "
            "features must be finite (features.standardize names the sample)"
        )
    return values


def _checked(total: int, chosen, count: int, candidates):
    """Chosen indices and the mask of samples that may be picked."""
    chosen = _indices(chosen, total, "chosen")
    if not len(chosen):
        raise ValueError("nothing is chosen yet; start with one sample, for example a random one")
    unique, uses = np.unique(chosen, return_counts=True)
    if (uses > 1).any():
        raise ValueError(f"sample {unique[uses > 1][0]} is chosen twice; list each sample once")
    is_open = np.ones(total, bool)
    if candidates is not None:
        is_open[:] = False
        is_open[_indices(candidates, total, "a candidate")] = True
    is_open[chosen] = False
    if not 0 <= count <= is_open.sum():
        raise ValueError(
            f"{count} picks from {is_open.sum()} candidates ({total} samples, {len(chosen)} chosen already); "
            "ask for fewer or add samples"
        )
    return chosen, is_open


def _indices(values, total: int, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.size and values.dtype.kind not in "iu":
        raise ValueError(f"expected integer indices of samples, got {values.dtype}")
    outside = values[(values < 0) | (values >= total)]
    if outside.size:
        raise ValueError(f"{what} sample {outside[0]} is not among the {total} samples; use 0 to {total - 1}")
    return values.astype(np.int64).reshape(-1)


def _checked_bias(bias, total: int):
    if bias is None:
        return None
    bias = np.asarray(bias)
    if bias.shape != (total,) or not np.isfinite(bias).all():
        raise ValueError(
            f"expected a finite bias for each of the {total} samples, got shape {bias.shape} with "
            f"{(~np.isfinite(bias)).sum()} values not finite; give chosen samples 0"
        )
    return bias
