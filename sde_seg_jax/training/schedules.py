"""Learning-rate schedules: functions from the number of updates done to a factor in (0,1] of every base rate.

Update number n (0-based) runs at `rate * factor(n)`, so N iterations are N updates, and a resumed run has the
schedule's learning rates because they depend on the count alone. The published system does N-1, and
resets rates: Q30 in docs/record/differences.md.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from sde_seg_jax.bounds import Count, CountOrNone, NotNegative, Positive, Probability
from sde_seg_jax.lookup import choose, load, offered

Schedule = Callable[[Int[Array, " ..."]], Float[Array, " ..."]]

POLY_FLOOR = 1e-6  # as published: the factor never reaches 0


def _as_float(step: Int[Array, " ..."]) -> Float[Array, " ..."]:
    # float64 under x64, else float32: the default float of the run
    return jnp.asarray(step).astype(jax.dtypes.canonicalize_dtype(float))


def constant() -> Schedule:
    """factor = 1."""
    return lambda step: jnp.ones_like(_as_float(step))


def step(*, milestones: Sequence[NotNegative], gamma: Positive = 0.1) -> Schedule:
    """factor = gamma^k with k the number of milestones reached, n >= milestone."""
    if list(milestones) != sorted(milestones):
        raise ValueError(f"milestones must ascend, got {list(milestones)}")

    def factor(step):
        n = _as_float(step)
        reached = sum((n >= m).astype(n.dtype) for m in milestones) if milestones else jnp.zeros_like(n)
        return gamma**reached

    return factor


def poly(*, steps: Count, power: NotNegative = 0.9) -> Schedule:
    """factor = max(1e-6, (1 - n/steps)^power); 1e-6 from `steps` on (the published code fails beyond)."""
    if steps < 1:
        raise ValueError(f"poly needs steps >= 1, got {steps}")

    def factor(step):
        return jnp.maximum(POLY_FLOOR, jnp.maximum(1.0 - _as_float(step) / steps, 0.0) ** power)

    return factor


def cosine(*, steps: Count, warmup: CountOrNone = 0, floor: Probability = 0.0) -> Schedule:
    """factor rises linearly, (n+1)/(warmup+1), then falls as half a cosine to `floor` at `steps`, and stays there.

    `steps` counts those of the warm-up. Raises ValueError if nothing is left for the cosine.
    """
    if steps <= warmup:
        raise ValueError(f"cosine needs more steps than its warm-up, got {steps} and {warmup}")
    fall = optax.cosine_decay_schedule(1.0, steps - warmup, floor)
    rise = optax.linear_schedule(1 / (warmup + 1), 1.0, warmup) if warmup else fall
    joined = optax.join_schedules([rise, fall], [warmup])
    return lambda step: joined(_as_float(step))


SCHEDULES = {"constant": constant, "step": step, "poly": poly, "cosine": cosine}
GROUP = "sde_seg_jax.schedules"  # entry points of other packages: name -> such a function


def find_schedule(name: str, key: str = "schedule.name") -> Callable[..., Schedule]:
    """The maker of a schedule, whose keyword arguments are its options. Raises ValueError that lists the known ones."""
    elsewhere = {} if name in SCHEDULES else offered(GROUP)
    if name in elsewhere:
        return load(elsewhere[name], "schedule")
    return choose({**SCHEDULES, **elsewhere}, name, key)


def spelled_out(schedule: Callable[..., Schedule], options: Mapping[str, Any], train_steps: int) -> dict[str, Any]:
    """The options of a schedule as numbers of updates, for a training of `train_steps` updates.

    A length `steps` that is 0 or left out is that of the training; a milestone in (0,1) is a share of it, rounded
    down. Numbers of updates stay as they are.
    """
    found = dict(options)
    if "steps" in inspect.signature(schedule).parameters and not found.get("steps"):
        found["steps"] = max(1, train_steps)
    if "milestones" in found:
        found["milestones"] = [_updates(milestone, train_steps) for milestone in found["milestones"]]
    return found


def _updates(milestone: float, train_steps: int) -> int:
    if not 0 < milestone < 1:
        return milestone
    return math.floor(milestone * train_steps + 1e-6)  # 0.29 * 100 is 28.999999999999996
