"""What the section `select` of a configuration asks for, checked before any work."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

from sde_seg_jax.bounds import Bounds, Count, NotNegative
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.lookup import choose
from sde_seg_jax.models.depth_decoder import LEVELS
from sde_seg_jax.selection.features import POOLS
from sde_seg_jax.selection.uncertainty import ERRORS

RANDOM, ENTROPY, UNCERTAINTY, DIVERSITY, BOTH = "random", "entropy", "us", "ds", "ds_us"
CORESET = "coreset"  # k-center greedy (Sener & Savarese 2018)
CRITERIA = {name: name for name in (RANDOM, ENTROPY, CORESET, UNCERTAINTY, DIVERSITY, BOTH)}
WITHOUT_DEPTH = (RANDOM, ENTROPY, CORESET)
TASKS = {ENTROPY: "supervised", UNCERTAINTY: "student_depth", BOTH: "student_depth"}  # what is trained between steps


@dataclasses.dataclass(frozen=True)
class Plan:
    """The section `select`, checked; configs/base.py explains the keys."""

    criterion: str
    steps: tuple[int, ...]
    student_steps: tuple[int, ...]
    single: bool
    start: str
    bias: float
    preselect: float
    scale: float
    error: dict[str, Any]  # keyword arguments of selection.uncertainty.depth_error
    level: int
    pool: tuple[int, int]
    pool_kind: str
    standardize: bool
    distance: dict[str, Any]  # keyword arguments p, patchwise of the feature distance
    spread: bool = False

    @property
    def trains(self) -> bool:
        """Is a network trained between the steps?"""
        return self.criterion in TASKS

    @property
    def farthest(self) -> bool:
        """Are samples chosen by their feature distance?"""
        return self.criterion in (DIVERSITY, CORESET, BOTH)

    def counts(self, started: int, available: int, split: str) -> tuple[int, ...]:
        """Labels after each step, where `started` samples are labeled already.

        Raises UsageError if nothing is left to choose, or more is wanted than there is.
        """
        if self.steps[-1] > available:
            fitting = tuple(step for step in self.steps if step <= available) or (available,)
            raise UsageError(
                f"config.select.steps ends at {self.steps[-1]}, but {split} has {available} samples; "
                f"for example --config.select.steps={fitting}"
            )
        steps = self.steps if not started else (started, *(step for step in self.steps if step > started))
        if started and len(steps) == 1:
            raise UsageError(
                f"'{self.start}' lists {started} labeled samples, and config.select.steps ends at {self.steps[-1]}: "
                f"give the number of labels to reach, for example --config.select.steps=({2 * started},)"
            )
        return (steps[0], steps[-1]) if self.single and len(steps) > 1 else steps

    def training_steps(self, labels: int) -> int:
        """How long a network is trained on so many labeled samples: as after the last step that is not above."""
        place = bisect.bisect_right(self.steps, labels) - 1
        return self.student_steps[min(max(place, 0), len(self.student_steps) - 1)]


def make_plan(
    *,
    criterion: str,
    steps: Sequence[int],
    student_steps: Sequence[int],
    single: bool,
    start: str,
    bias: NotNegative,
    preselect: NotNegative,
    scale: NotNegative,
    error: str,
    far: NotNegative,
    grow: Count,
    bottom: Annotated[float, Bounds(0, 1, open_high=True)],
    level: int,
    pool: Sequence[int],
    pool_kind: str,
    standardize: bool,
    p: Annotated[float, Bounds(1)],
    patchwise: bool,
    spread: bool = False,
) -> Plan:
    """The section `select`. Raises ValueError that names the key and the remedy."""
    choose(CRITERIA, criterion, "select.criterion")
    choose(ERRORS, error, "select.error")
    choose(POOLS, pool_kind, "select.pool_kind")
    _check_steps(steps, student_steps)
    if level not in LEVELS:
        raise UsageError(f"config.select.level={level}: expected a level of the decoder, {LEVELS[-1]} to {LEVELS[0]}")
    if len(pool) != 2 or min(pool) < 1:
        raise UsageError(f"config.select.pool={tuple(pool)}: expected cells as (height, width), (4, 8) as published")
    if preselect and (criterion != BOTH or preselect < 1):
        raise UsageError(
            f"config.select.preselect={preselect}: expected 0, or 1 and more with criterion {BOTH}, which alone has "
            "both an uncertainty to preselect by and a distance to choose by"
        )
    if grow % 2 == 0:
        raise UsageError(f"config.select.grow={grow}: expected an odd number of pixels")
    masks = {"kind": error, "far": far, "grow": grow, "bottom": bottom}
    distance = {"p": p, "patchwise": patchwise}
    cells = (pool[0], pool[1])
    options = (bias, preselect, scale, masks, level, cells, pool_kind, standardize, distance, spread)
    return Plan(criterion, tuple(steps), tuple(student_steps), single, start, *options)


def _check_steps(steps: Sequence[int], student_steps: Sequence[int]) -> None:
    for name, values in (("steps", steps), ("student_steps", student_steps)):
        if not values or min(values) < 1:
            raise UsageError(f"config.select.{name}={tuple(values)}: expected whole numbers from 1 on, at least one")
    if list(steps) != sorted(set(steps)):
        raise UsageError(f"config.select.steps={tuple(steps)}: expected growing numbers of labels")
