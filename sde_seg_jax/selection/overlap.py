"""How far two selections agree, label step by label step."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Agreement of the first `step` samples of two lists.

    ours, other: how many samples each list has up to this step. chance: how many two random selections of these sizes
    would share on average; None if the number of samples is not known.
    """

    step: int
    common: int
    ours: int
    other: int
    chance: float | None


def overlap(
    ours: Sequence[Hashable], other: Sequence[Hashable], steps: Sequence[int], total: int | None = None
) -> list[Overlap]:
    """Compares the first `step` samples of both lists, for each step; total: number of samples selected from.

    Order within a step does not count. A list may be shorter than a step. Raises ValueError for a duplicate.
    """
    for label, names in (("our", ours), ("the other", other)):
        if len(set(names)) < len(names):
            twice = next(name for index, name in enumerate(names) if name in names[:index])
            raise ValueError(f"{label} list names '{twice}' twice; list each sample once")
    found = []
    for step in steps:
        first, second = set(ours[:step]), set(other[:step])
        chance = None if total is None else len(first) * len(second) / total
        found.append(Overlap(step, len(first & second), len(first), len(second), chance))
    return found
