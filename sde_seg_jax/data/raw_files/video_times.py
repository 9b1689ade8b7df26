"""What the time stamps of a video's frames tell of those that are missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REGULAR = 0.8  # share of equal steps from which a longer one is a gap, not a camera's varying rate
EQUAL = 0.1  # of a step: time stamps are rounded
LONG = 1.5  # steps that are a gap
STRAGGLERS = 4  # frames that a file cut short may give without those shown before them: B-frames come later in it


def missing(times: Sequence[int | None]) -> int:
    """How many frames lack between others: 2 of [0, 1, 2, 3, 6, 7, ...]; 0 where the rate varies or is unknown."""
    if None in times:
        return 0
    steps, usual = _steps(sorted(set(times)))
    return int(sum(round(step / usual) - 1 for step in steps if step > LONG * usual))


def in_order(times: Sequence[int | None]) -> int:
    """How many frames there are up to a gap near the end, after which they are out of order."""
    steps, usual = _steps(times)
    near = range(max(0, len(steps) - STRAGGLERS), len(steps))
    return min((at + 1 for at in near if steps[at] > LONG * usual), default=len(times))


def step(times: Sequence[int | None]) -> float | None:
    """The usual time between frames; None where it is unknown or varies."""
    steps, usual = _steps(times)
    return usual if len(steps) else None


def _steps(times: Sequence[int | None]) -> tuple[np.ndarray, float]:
    """Times between frames, and the usual one; none where that is unknown or the rate varies."""
    if len(times) < 3 or None in times:
        return np.zeros(0), 1.0
    steps = np.diff(np.array(times, np.float64))
    usual = float(np.median(steps))
    regular = usual > 0 and np.mean(np.abs(steps - usual) <= EQUAL * usual) >= REGULAR
    return (steps if regular else np.zeros(0)), usual
