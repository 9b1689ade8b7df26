"""What the samples of one split must have in common, as it is seen while they are written."""

from __future__ import annotations

from sde_seg_jax.data.fields import WHOLE_SPLIT
from sde_seg_jax.data.preparing.unfinished import Facts
from sde_seg_jax.data.preparing.work import Plan
from sde_seg_jax.data.stored.codec import Coded


class Checks:
    """What the samples of one split must have in common, and how many may be bad."""

    def __init__(self, plan: Plan, split: str, skip_bad: bool):
        self._dataset, self._split, self._skip = plan.spec.name, split, skip_bad
        self._names: set[str] = set()
        self._fields: tuple[str, ...] | None = None
        self._left_out = list(plan.problems[split].left_out)
        self._total = len(plan.items[split]) + len(self._left_out)
        self._whole = [field for field in WHOLE_SPLIT if field in plan.spec.fields]

    def remember(self, facts: Facts) -> None:
        """Takes in a shard that was finished before."""
        self._names.update(facts.names)
        self._left_out += facts.left_out
        if facts.fields is not None:
            self._fields = tuple(facts.fields)

    def problem(self, coded: Coded) -> str:
        """Why a sample does not fit those before it; "" if it does."""
        name = coded.stored["name"]
        if name in self._names:
            return f"{self._dataset!r} has two samples named {name!r} in {self._split!r}; rename one"
        differing = {*self._of(coded)} ^ {*(self._of(coded) if self._fields is None else self._fields)}
        if differing:
            return f"{name!r} in {self._split!r}: all samples of a split need {min(differing)}, or none"
        return ""

    def add(self, coded: Coded) -> tuple[str, ...]:
        """Takes in a sample that fits; returns which of the fields in question the split has."""
        self._names.add(coded.stored["name"])
        self._fields = self._of(coded)
        return self._fields

    def bad(self, problem: str, facts: Facts) -> None:
        """Notes a bad sample. Raises ValueError if such are not skipped, or too many are."""
        if not self._skip:
            raise ValueError(f"{problem}; to leave such samples out, prepare with skip_bad")
        facts.left_out.append(problem)
        self._left_out.append(problem)
        if 2 * len(self._left_out) > self._total:
            raise ValueError(
                f"{len(self._left_out)} of {self._total} samples of split {self._split!r} are bad, too many to leave "
                f"out; the first: {self._left_out[0]}"
            )

    def _of(self, coded: Coded) -> tuple[str, ...]:
        return tuple(field for field in self._whole if field in coded.fields)
