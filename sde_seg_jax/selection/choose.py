"""Samples by score alone: the most uncertain ones, or a preselection of them for farthest-point sampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def most_uncertain(
    scores: Float[np.ndarray, "N"] | Float[np.ndarray, "N M"], count: int, candidates: Sequence[int] | None = None
) -> Int[np.ndarray, "k"]:
    """Indices of the `count` candidates with the highest score, highest first; ties go to the first index.

    With M criteria each chooses its share in turn: the first count/M by criterion 0, the next by criterion 1, and so
    on (earlier criteria take what does not divide); a sample chosen already gives way to the next in line.
    Scores of samples that are no candidates are not read. Raises ValueError for more than there are, or NaN.
    """
    scores, candidates = _checked(scores, candidates)
    if not 0 <= count <= len(candidates):
        raise ValueError(f"{count} picks from {len(candidates)} candidates; ask for fewer or add samples")
    criteria = scores.shape[1]
    picks: list[int] = []
    for criterion in range(criteria):
        share = count // criteria + (criterion < count % criteria)
        left = candidates[~np.isin(candidates, picks)]
        order = np.argsort(-scores[left, criterion], kind="stable")
        picks += left[order[:share]].tolist()
    return np.array(picks, np.int64)


def preselect(
    scores: Float[np.ndarray, "N"] | Float[np.ndarray, "N M"], count: int, candidates: Sequence[int] | None = None
) -> Int[np.ndarray, "k"]:
    """The `count` most uncertain candidates, or all where there are fewer, in index order."""
    available = len(_checked(scores, candidates)[1])
    return np.sort(most_uncertain(scores, min(count, available), candidates))


def _checked(scores, candidates):
    """Scores [N, M], and the candidates in index order."""
    scores = np.asarray(scores)
    scores = scores[:, None] if scores.ndim == 1 else scores
    candidates = np.arange(len(scores)) if candidates is None else np.unique(np.asarray(candidates, np.int64))
    outside = candidates[(candidates < 0) | (candidates >= len(scores))]
    if outside.size:
        raise ValueError(f"candidate {outside[0]} is not among the {len(scores)} samples; use 0 to {len(scores) - 1}")
    bad = np.isnan(scores[candidates]).any(1)
    if bad.any():
        raise ValueError(f"the score of sample {candidates[bad.argmax()]} is NaN; check its image and the checkpoints")
    return scores, candidates
