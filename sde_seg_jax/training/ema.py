"""The teacher: an exponential moving average of the student (mean teacher, Tarvainen & Valpola 2017)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sde_seg_jax.lookup import known
from sde_seg_jax.training.sharding import copied
from sde_seg_jax.types import Params, Variables

DECAY = 0.99


def alpha(step: Int[Array, ""], decay: float = DECAY) -> Float[Array, ""]:
    """How much of the teacher stays: min(1 - 1/(step+1), decay); `step` numbers the updates from 1.

    The first update has alpha 0.5; step 0 would overwrite the teacher with the student.
    """
    n = jnp.asarray(step).astype(jax.dtypes.canonicalize_dtype(float))
    return jnp.minimum(1.0 - 1.0 / (n + 1.0), decay)


def initial_teacher(student: Variables) -> Variables:
    """A copy of the student, statistics included, that shares no buffer with it (so both can be donated).

    Without the pose network and the learnt intrinsics, which a teacher never runs: Q24 in
    docs/record/differences.md.
    """
    student = Variables(_without_pose(student.params), _without_pose(student.batch_stats))
    return copied(student)


def _without_pose(tree: Params) -> Params:
    return {name: branch for name, branch in tree.items() if name not in ("pose", "intrinsics")}


def _average(teacher: Params, student: Params, keep: Float[Array, ""]) -> Params:
    def leaf(t, s):
        a = keep.astype(t.dtype)
        return a * t + (1 - a) * s

    return jax.tree.map(leaf, teacher, student)


def update_params(teacher: Variables, student: Variables, step: Int[Array, ""], decay: float = DECAY) -> Variables:
    """teacher = alpha * teacher + (1 - alpha) * student on parameters; the statistics stay the teacher's.

    The published form: such a teacher predicts with the statistics of its batch (Q24 in docs/record/differences.md).
    """
    return teacher.replace(params=_average(teacher.params, _without_pose(student.params), alpha(step, decay)))


def update_params_and_stats(
    teacher: Variables, student: Variables, step: Int[Array, ""], decay: float = DECAY
) -> Variables:
    """The same average on parameters and on batch-norm statistics, with which the teacher then predicts."""
    student = Variables(_without_pose(student.params), _without_pose(student.batch_stats))
    return _average(teacher, student, alpha(step, decay))


UPDATES = {"batch_stats": update_params, "ema_stats": update_params_and_stats}


def update_rule(mode: str) -> Callable[..., Variables]:
    """The update for a teacher mode of a config; ValueError for an unknown mode.

    What the modes mean: decision 3 in docs/record/differences.md.
    """
    if mode not in UPDATES:
        raise ValueError(f"unknown teacher mode {mode!r}; {known(mode, sorted(UPDATES))}")
    return UPDATES[mode]
