"""Where processes of one task meet: what a command line and the environment ask for. Needs no jax."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

AUTO = "auto"
ADDRESS, COUNT, INDEX = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
WAIT = 300  # seconds for all to come together
LOST = 30  # seconds without a sign of life


@dataclasses.dataclass(frozen=True)
class Meeting:
    """Where processes meet, and how long they wait for each other.

    Attributes:
      coordinator: HOST:PORT of process 0; "": what jax finds (Slurm, Open MPI, Cloud TPU, Kubernetes).
      count, index: of all processes, and of this one; None: what jax finds.
      wait: seconds for all to come together.
      lost: seconds without a sign of life after which a process counts as lost, and the others end.
    """

    coordinator: str = ""
    count: int | None = None
    index: int | None = None
    wait: int = WAIT
    lost: int = LOST

    def __post_init__(self):
        host, _, port = self.coordinator.rpartition(":")
        if self.coordinator and not (host and port.isdecimal() and 0 < int(port) < 2**16):
            raise ValueError(f"--coordinator={self.coordinator}: expected HOST:PORT of process 0, or {AUTO}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"--processes={self.count}: expected 1 or more")
        if self.index is not None and not 0 <= self.index < (self.count or 2**31):
            raise ValueError(f"--process={self.index}: expected a number from 0 to {(self.count or 2**31) - 1}")


def meeting(
    coordinator: str,
    count: int | None,
    index: int | None,
    wait: int = WAIT,
    lost: int = LOST,
    environment: Mapping[str, str] = os.environ,
) -> Meeting | None:
    """What a command line and JAX's environment variables ask for; None if nobody asks for several processes.

    Asked is by a coordinator: an address, or "auto", where jax looks for what the environment does not say. What the
    command line says goes first. Raises ValueError that names the flag or the variable.
    """
    if not coordinator and (count is not None or index is not None):
        raise ValueError(f"--processes and --process need --coordinator=HOST:PORT, or --coordinator={AUTO}")
    if not coordinator and not environment.get(ADDRESS):
        return None
    address = environment.get(ADDRESS, "") if coordinator in ("", AUTO) else coordinator
    count = _number(environment, COUNT) if count is None else count
    index = _number(environment, INDEX) if index is None else index
    return Meeting(address, count, index, wait, lost)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if text and not text.isdecimal():
        raise ValueError(f"{name}={text}: expected a whole number")
    return int(text) if text else None
