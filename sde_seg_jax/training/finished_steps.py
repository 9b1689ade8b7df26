"""A progress bar that counts steps when the device has finished them: they are started long before."""

from __future__ import annotations

import collections
from typing import Any

import jax
import tqdm


class FinishedSteps:
    """Moves a bar on by what is done; never waits but in `wait`."""

    def __init__(self, bar: tqdm.tqdm):
        self._bar = bar
        self._running: collections.deque[Any] = collections.deque()

    def started(self, result: Any) -> None:
        """Notes one more step by an array that it computes, and counts those that have finished by now."""
        self._running.append(result)
        while self._running and _is_ready(self._running[0]):
            self._count()

    def wait(self) -> None:
        """Waits for all steps, one after the other, and counts each."""
        while self._running:
            jax.block_until_ready(self._running[0])
            self._count()

    def _count(self) -> None:
        self._running.popleft()
        self._bar.update()


def _is_ready(result: Any) -> bool:
    """Has the device computed it? What is no array of a device is there."""
    return not isinstance(result, jax.Array) or result.is_ready()
