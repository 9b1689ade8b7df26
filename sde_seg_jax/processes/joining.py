"""How processes of one task come together: jax.distributed, with errors of one line."""

from __future__ import annotations

import collections
import contextlib
import functools
import socket
from collections.abc import Iterator

import jax
from jax._src import distributed  # for a callback that jax.distributed does not pass on
from jax.experimental import multihost_utils

from sde_seg_jax.processes import together
from sde_seg_jax.processes.ending import Ending
from sde_seg_jax.processes.meeting import AUTO, Meeting


def join(asked: Meeting) -> Ending:
    """Meets the others: from here on jax's devices are those of all processes. Returns how this one ends.

    Raises ValueError, after `asked.wait` seconds at most, if the others are not there.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it keeps SIGTERM: for the training loop alone
    _check_host(asked.coordinator)
    state = distributed.global_state
    try:
        with _without_abort():
            jax.distributed.initialize(
                asked.coordinator or None,
                asked.count,
                asked.index,
                initialization_timeout=max(1, asked.wait // 2),  # jaxlib tries twice
                heartbeat_timeout_seconds=asked.lost,
            )
    except (ValueError, RuntimeError) as error:
        found = state.client is not None
        state.client = state.service = None  # nothing to shut down at exit
        raise ValueError(_not_together(asked, error, found)) from error
    end = Ending(state.process_id, _lost(asked))
    end.on_abort()
    end.watch(state.client)
    _first_exchange()
    return end


def leave(end: Ending, status: int) -> None:
    """Parts from the others, who are here as well, before this process ends with a status."""
    end.over(status)
    jax.distributed.shutdown()


@contextlib.contextmanager
def _without_abort() -> Iterator[None]:
    """jaxlib ends a process with a trace of C++ if the others are gone, unless it has a callback.

    That is never called, as jaxlib cannot turn its status into one of Python: `Ending.on_abort` hears of it.
    """
    original = distributed._jax.get_distributed_runtime_client
    made = functools.partial(original, missed_heartbeat_callback=lambda *_: None)
    distributed._jax.get_distributed_runtime_client = made
    try:
        yield
    finally:
        distributed._jax.get_distributed_runtime_client = original


def _check_host(coordinator: str) -> None:
    host = coordinator.rpartition(":")[0].strip("[]")
    try:
        if host:
            socket.getaddrinfo(host, None)
    except OSError as error:
        raise ValueError(
            f"--coordinator={coordinator}: this machine knows no host '{host}' ({error.strerror}): give the name or "
            "address of the machine of process 0"
        ) from error


def _not_together(asked: Meeting, error: Exception, found: bool) -> str:
    """Why they did not meet, with the remedy; `found`: were address and numbers known?"""
    if found:
        return (
            f"not all of the {distributed.global_state.num_processes} processes met at "
            f"{distributed.global_state.coordinator_address} within {asked.wait} s: start all of them, with the same "
            "--coordinator and --processes and each its own --process, and see that the port of process 0 can be "
            "reached; --join_seconds waits longer"
        )
    if "defined" in str(error):
        where = f"--coordinator={asked.coordinator or AUTO}"
        return (
            f"{where}: neither Slurm, Open MPI, Kubernetes nor a Cloud TPU tells how many processes there are and "
            "which one this is: give --coordinator=HOST:PORT --processes=N --process=I"
        )
    return f"--coordinator={asked.coordinator or AUTO}: {error}: is that port of this machine free?"


def _lost(asked: Meeting) -> str:
    return (
        f"another process of this task has ended, or gave no sign of life for {asked.lost} s: see its own last line; "
        "the same command, started for all, continues from the newest checkpoint"
    )


def _first_exchange() -> None:
    """All processes exchange a number, so that what cannot work fails here.

    Raises ValueError if the processes have unequal numbers of devices.
    """
    devices = collections.Counter(device.process_index for device in jax.devices())
    if len(set(devices.values())) > 1:
        raise ValueError(f"processes with unequal numbers of devices, {dict(devices)}: give each as many")
    together.barrier()
    multihost_utils.sync_global_devices("sde_seg/joined")
