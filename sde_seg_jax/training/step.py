"""One training step: the only place that knows gradients, updates, the EMA teacher and how randomness advances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sde_seg_jax.training.ema import initial_teacher
from sde_seg_jax.training.finite import finite_parts
from sde_seg_jax.training.micro_batches import accumulate
from sde_seg_jax.training.optimizers import hold, joint_norm
from sde_seg_jax.types import Params, Streams, TrainState, Variables


@struct.dataclass
class Aux:
    """What a loss returns beside its value."""

    batch_stats: Params  # the student's running statistics after this step's forward passes
    logs: dict[str, jax.Array]  # scalars
    teacher_stats: Params | None = None  # the teacher's own running statistics, if it ran on batch statistics


Loss = Callable[[Params, TrainState, Streams, jax.Array], tuple[jax.Array, Aux]]
TeacherUpdate = Callable[[Variables, Variables, jax.Array], Variables]


def init_state(
    student: Variables,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    teacher: bool,
    frozen: dict[str, Variables] | None = None,
) -> TrainState:
    """State before the first update. The teacher starts as a copy of the student, in buffers of its own."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        student=student,
        opt_state=jax.jit(optimizer.init)(student.params),  # one program, not one for every shape
        key=jax.random.key(seed),
        teacher=initial_teacher(student) if teacher else None,
        frozen=frozen or {},
    )


def make_step(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    update_teacher: TeacherUpdate | None = None,
    micro_batches: int = 1,
    frozen: Sequence[str] = (),
) -> Callable[[TrainState, Streams], tuple[TrainState, dict[str, jax.Array]]]:
    """A pure function (state, streams) -> (state, logs); compile it with `sharding.compile_step`.

    The step's randomness is the run's key with the step number folded in, so a resumed run continues the same draws.
    With `micro_batches` > 1 the batch is processed in so many parts to save memory; training/micro_batches.py says
    what that changes. Raises ValueError, when traced, if a batch cannot be split so.
    `frozen` are the optimiser's: their gradients are zero, not computed, and not in the logged norm: one norm over
    all that is trained, as published (Q32 in docs/record/differences.md).
    The logs hold the loss and gradient of the old state, and whether the new one is finite ("state_finite/...").
    """

    def of_trained(params: Params, *rest) -> tuple[jax.Array, Aux]:
        return loss(hold(params, frozen), *rest)

    gradient = jax.value_and_grad(of_trained, has_aux=True)
    if micro_batches != 1:
        gradient = accumulate(gradient, micro_batches)

    def step(state: TrainState, streams: Streams) -> tuple[TrainState, dict[str, jax.Array]]:
        rng = jax.random.fold_in(state.key, state.step)
        (value, aux), grads = gradient(state.student.params, state, streams, rng)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.student.params)
        student = Variables(optax.apply_updates(state.student.params, updates), aux.batch_stats)
        number = state.step + 1  # of this update, counted from 1 as the teacher's schedule does
        teacher = state.teacher
        if teacher is not None and update_teacher is not None:
            stats = teacher.batch_stats if aux.teacher_stats is None else aux.teacher_stats
            teacher = update_teacher(Variables(teacher.params, stats), student, number)
        state = state.replace(step=number, student=student, opt_state=opt_state, teacher=teacher)
        return state, {"loss": value, "gradient_norm": joint_norm(grads), **aux.logs, **finite_parts(state)}

    return step


def split_named(rng: jax.Array, *names: str) -> dict[str, jax.Array]:
    """One key a name: `split_named(rng, "mix", "strong")["mix"]`."""
    return dict(zip(names, jax.random.split(rng, len(names)), strict=True))


def parameter_count(params: Any) -> int:
    """Number of trainable scalars."""
    return sum(x.size for x in jax.tree.leaves(params))
