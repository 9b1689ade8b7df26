"""The flags by which several processes do one command together, and what changes for it then.

Nothing is initialised, and nothing changes, where nobody asks for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from absl import flags as absl_flags

from sde_seg_jax.cli import notices
from sde_seg_jax.processes import meeting
from sde_seg_jax.reporter import CONSOLE
from sde_seg_jax.training.interrupted import Interrupted

if TYPE_CHECKING:
    from sde_seg_jax.processes.ending import Ending

BAD_INPUT, INTERRUPTED = 2, 130
STDOUT = 1
SHOWN = 160  # characters of what a library says of a collective that broke off
MEET = 30  # seconds between the first and the last process that stops


def define(values: absl_flags.FlagValues) -> None:
    """Defines them."""
    meet = "HOST:PORT of process 0, where several processes meet, or auto: Slurm, Open MPI, Cloud TPU, JAX's variables"
    absl_flags.DEFINE_string("coordinator", "", meet, flag_values=values)
    absl_flags.DEFINE_integer("processes", None, "how many processes", flag_values=values)
    absl_flags.DEFINE_integer("process", None, "which of them this is, from 0", flag_values=values)
    wait, lost = "seconds for all processes to meet", "seconds without a sign of life after which a process is lost"
    absl_flags.DEFINE_integer("join_seconds", meeting.WAIT, wait, lower_bound=2, flag_values=values)
    absl_flags.DEFINE_integer("lost_seconds", meeting.LOST, lost, lower_bound=2, flag_values=values)


@contextlib.contextmanager
def joined(arguments: Any, one_line: Callable[[BaseException], str]) -> Iterator[None]:
    """While this lasts, the processes that a command line asks for work together; by default this one alone.

    All but the first tell nothing, but for what ends them: a line that begins with their number. Then all end.
    """
    asked = _asked(arguments)
    if asked is None:
        yield
        return
    from sde_seg_jax.processes import joining

    with _stdout_of_python_alone():
        end = joining.join(asked)
        yield from _until_all_end(end, one_line)


def _until_all_end(end: Ending, one_line: Callable[[BaseException], str]) -> Iterator[None]:
    """Yields once, and ends this process with the others."""
    from sde_seg_jax.processes import joining, together

    try:
        with contextlib.ExitStack() as silent:
            if not together.is_first():
                silent.enter_context(contextlib.redirect_stdout(silent.enter_context(open(os.devnull, "w"))))
                silent.enter_context(CONSOLE.silenced())
            yield
        together.barrier()
    except Interrupted as stop:
        try:
            together.barrier(MEET)
        except Exception:  # the others go on: it was this process alone that was stopped
            end.failed(INTERRUPTED, str(stop))
        first = together.is_first()
        joining.leave(end, INTERRUPTED)
        if first:
            raise
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        end.failed(INTERRUPTED, "interrupted")
    except (ValueError, OSError, absl_flags.Error) as error:
        if notices.shown():
            traceback.print_exc()
        end.failed(BAD_INPUT, f"error: {one_line(error)}")
    except Exception as error:
        broke_off = _is_of_exchange(error)
        if notices.shown() or not broke_off:
            traceback.print_exc()
        if broke_off:
            end.lost(one_line(error)[:SHOWN])
        end.failed(1, f"error: {one_line(error)}")
    joining.leave(end, 0)


@contextlib.contextmanager
def _stdout_of_python_alone() -> Iterator[None]:
    """What C++ prints is dropped: gloo tells of every connection there."""
    sys.stdout.flush()
    kept, nowhere = os.dup(STDOUT), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDOUT)
        with open(kept, "w", closefd=False) as file, contextlib.redirect_stdout(file):
            yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(nowhere)


def _asked(arguments: Any) -> meeting.Meeting | None:
    """None also of a command that is no task of several processes."""
    if not hasattr(arguments, "coordinator"):
        return None
    numbers = arguments.processes, arguments.process, arguments.join_seconds, arguments.lost_seconds
    return meeting.meeting(arguments.coordinator, *numbers)


def _is_of_exchange(error: Exception) -> bool:
    """Is it a collective that broke off, or a barrier of the coordinator?"""
    words = ("Gloo", "NCCL", "Barrier", "coordination", "Coordination", "UNAVAILABLE", "Connection", "heartbeat")
    return type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError", "BarrierTimeoutError") and any(
        word in str(error) for word in words
    )
