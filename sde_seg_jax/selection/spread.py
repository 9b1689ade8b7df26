"""Picks that are spread over groups, such as clips: each comes from the groups that have the fewest so far (NumPy)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int


class Spread:
    """Counts the picks of every group.

    Args:
      groups: number of the group of each sample, from 0 on.
      chosen: samples that count as picked.
    """

    def __init__(self, groups: Int[np.ndarray, "N"], chosen: Iterable[int] = ()):
        self.groups = np.asarray(groups, np.int64)
        self._counts = np.zeros(self.groups.max(initial=-1) + 1, np.int64)
        for index in chosen:
            self.take(index)

    def allowed(self, is_open: Bool[np.ndarray, "N"]) -> Bool[np.ndarray, "N"]:
        """The open samples of those groups that have the fewest picks, of the groups with an open sample."""
        counts = self._counts[self.groups]
        return is_open & (counts == counts[is_open].min(initial=np.iinfo(np.int64).max))

    def take(self, index: int) -> None:
        """Notes a pick."""
        self._counts[self.groups[index]] += 1


def in_order(order: Sequence[int], count: int, spread: Spread, chosen: Iterable[int] = ()) -> list[int]:
    """The first `count` of an order, each the first one that the spread allows; `chosen` are passed over."""
    rank = np.full(len(spread.groups), len(order), np.int64)
    rank[np.asarray(order, np.int64)] = np.arange(len(order))
    is_open = rank < len(order)
    is_open[list(chosen)] = False
    picks: list[int] = []
    while len(picks) < count and is_open.any():
        index = int(np.argmin(np.where(spread.allowed(is_open), rank, len(order) + 1)))
        is_open[index] = False
        spread.take(index)
        picks.append(index)
    return picks


def highest(scores: Float[np.ndarray, "N"], count: int, spread: Spread, candidates: Sequence[int]) -> list[int]:
    """`in_order` of falling scores; ties go to the first index."""
    candidates = np.sort(np.asarray(candidates, np.int64))
    return in_order(candidates[np.argsort(-scores[candidates], kind="stable")].tolist(), count, spread)
