"""Gradient accumulation: one update from a batch that is processed in equal parts, one after the other.

The gradient, the loss and the logs are means over the parts, so every part counts alike. Without batch norm and with
losses that are means over samples this is the gradient of the whole batch, up to rounding. Otherwise k parts of b
samples differ from one batch of k*b: batch norm normalises a part with the part's own statistics, and the running ones
of student and teacher advance through the parts in turn; mixing partners, the confident fraction and the norm of the
feature distance come from the part; a mean over valid pixels weighs the parts alike, however many valid pixels they
hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sde_seg_jax.types import Streams, TrainState


def part_size(batch_size: int, parts: int) -> int:
    """Samples of one part. Raises ValueError if the batch cannot be split into equal parts."""
    if parts < 1 or batch_size % parts:
        raise ValueError(
            f"a batch of {batch_size} cannot be split into {parts} equal parts; "
            "make data.batch_size a multiple of train.micro_batches, which is at least 1"
        )
    return batch_size // parts


def split(streams: Streams, parts: int) -> Streams:
    """Arrays [B,...] -> [parts, B/parts, ...]; part j holds the samples j, j+parts, j+2*parts, ...

    So every device keeps its samples, if each holds a run of neighbours in the batch: part j takes every parts-th of
    them, and nothing moves between devices. Raises ValueError if B is no multiple of `parts`.
    """

    def leaf(x):
        return jnp.swapaxes(x.reshape(part_size(x.shape[0], parts), parts, *x.shape[1:]), 0, 1)

    return jax.tree.map(leaf, streams)


def accumulate(gradient: Callable, parts: int) -> Callable:
    """`gradient(params, state, streams, rng) -> ((loss, aux), grads)` for the whole batch, in `parts` parts.

    Part j sees the running statistics that part j-1 left, and the randomness of `rng` with j folded in.
    """

    def accumulated(params: Any, state: TrainState, streams: Streams, rng: jax.Array):
        def part(carry, numbered):
            student_stats, teacher_stats, total = carry
            number, samples = numbered
            seen = _with_stats(state, student_stats, teacher_stats)
            (value, aux), grads = gradient(params, seen, samples, jax.random.fold_in(rng, number))
            teacher_stats = teacher_stats if aux.teacher_stats is None else aux.teacher_stats
            carry = aux.batch_stats, teacher_stats, jax.tree.map(jnp.add, total, grads)
            return carry, (value, aux.replace(batch_stats=None, teacher_stats=None))

        teacher_stats = None if state.teacher is None else state.teacher.batch_stats
        start = state.student.batch_stats, teacher_stats, jax.tree.map(jnp.zeros_like, params)
        numbered = jnp.arange(parts), split(streams, parts)
        (student_stats, teacher_stats, total), logged = jax.lax.scan(part, start, numbered)
        value, aux = jax.tree.map(lambda x: jnp.mean(x, axis=0), logged)
        aux = aux.replace(batch_stats=student_stats, teacher_stats=teacher_stats)
        return (value, aux), jax.tree.map(lambda x: x / parts, total)

    return accumulated


def _with_stats(state: TrainState, student: Any, teacher: Any) -> TrainState:
    state = state.replace(student=state.student.replace(batch_stats=student))
    return state if teacher is None else state.replace(teacher=state.teacher.replace(batch_stats=teacher))
