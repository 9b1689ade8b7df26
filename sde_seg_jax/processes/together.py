"""What processes of one task do together. Where there is one process only, nothing is exchanged and nobody waits.

All processes must come to the calls of this file in the same order.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np
from jax._src import distributed  # its client has barriers that need no device; jax.distributed does not hand it out
from jax.experimental import multihost_utils

PATIENCE = 7 * 24 * 3600  # seconds that one process may prepare data while the others wait
T = TypeVar("T")
_barriers = itertools.count()


def count() -> int:
    """How many processes work on this task."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def index() -> int:
    """Which of them this one is, from 0."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def is_first() -> bool:
    """Is this the process that writes and tells?"""
    return index() == 0


def barrier(seconds: float = PATIENCE) -> None:
    """Waits until all processes are here. Raises RuntimeError if one of them is not after so many seconds."""
    if count() > 1:
        name = f"sde_seg/barrier/{next(_barriers)}"
        distributed.global_state.client.wait_at_barrier(name, round(1000 * seconds))


def first_before_others(function: Callable[[], T]) -> T:
    """Returns `function()`, which the others call when the first process is done: they find what it has written."""
    if is_first():
        found = function()
        barrier()
        return found
    barrier()
    return function()


def told_by_first(function: Callable[[], T]) -> T:
    """`function()` of the first process, which alone calls it; the others wait, and are told what it returned."""
    return gathered(function() if is_first() else None)[0]


def part(items: Iterable[T]) -> Iterator[T]:
    """This process's items: every one of N in turn, for N processes."""
    return itertools.islice(items, index(), None, count())


def in_order(found: list[T]) -> list[T]:
    """What all processes have found for their `part`, in the order of one process."""
    if count() == 1:
        return found
    rounds = itertools.zip_longest(*gathered(found), fillvalue=_NOTHING)
    return [one for of_all in rounds for one in of_all if one is not _NOTHING]


def gathered(value: Any) -> list[Any]:
    """Everybody's value, in the order of the processes; anything that pickle takes, below 2 GiB."""
    if count() == 1:
        return [value]
    barrier()  # gloo waits no more than 30 s for the slowest
    words = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = multihost_utils.process_allgather(np.int32(words.size))
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: words.size] = words
    every = multihost_utils.process_allgather(padded)
    return [pickle.loads(row[:size].tobytes()) for row, size in zip(every, sizes, strict=True)]  # of our own processes


def require_same(value: Any, what: str, remedy: str) -> None:
    """Raises ValueError in every process, naming one, unless all come with the same value."""
    found = gathered(value)
    other = next((number for number, one in enumerate(found) if one != found[0]), None)
    if other is not None:
        raise ValueError(f"{what} of process {other} is not that of process 0 ({found[other]}, {found[0]}): {remedy}")


_NOTHING = object()
