"""When a run that was asked to stop does so: after a step, with everything saved; several processes after the same one.

SIGINT and SIGTERM ask for it.
"""

from __future__ import annotations

import os
import signal

import jax
from jax._src import distributed  # starts and ends jax's preemption service, which jax.distributed keeps to itself
from jax.experimental import multihost_utils

from sde_seg_jax.processes import together

STOPPING = b"\nstopping after this step, with everything saved; the same signal again stops at once\n"


def stopping_of() -> Stop | StopTogether:
    """What a loop asks after every step, while it lasts."""
    return Stop() if together.count() == 1 else StopTogether()


class Stop:
    """Turns the first SIGINT or SIGTERM into a request to finish the step and save; a second one acts at once."""

    SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self):
        self.requested = False
        self._before = {}
        try:
            self._before = {number: signal.signal(number, self._handle) for number in self.SIGNALS}
        except ValueError:  # not the main thread (a notebook's worker): signals stay as they are
            self._before = {}
        return self

    def after(self, step: int) -> bool:
        """Has this step, which was just started, to be the last?"""
        return self.requested

    def _handle(self, number, frame):
        self.requested = True
        signal.signal(number, self._before[number])
        os.write(2, STOPPING)  # a handler may come in the middle of a print, which must not be entered twice

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)


class StopTogether(Stop):
    """The same for several processes, by jax's preemption service: a signal to one stops all after the same step.

    The service waits for SIGTERM, and chooses the step: one that no process has begun. SIGINT is passed on to it.
    """

    SIGNALS = (signal.SIGINT,)

    def __enter__(self):
        self._term = signal.getsignal(signal.SIGTERM)
        jax.config.update("jax_enable_preemption_service", True)
        distributed.global_state.initialize_preemption_sync_manager()
        return super().__enter__()

    def after(self, step: int) -> bool:
        """All processes ask after every step, and are answered alike."""
        return multihost_utils.reached_preemption_sync_point(step)

    def _handle(self, number, frame):
        super()._handle(number, frame)
        os.kill(os.getpid(), signal.SIGTERM)

    def __exit__(self, *_):
        super().__exit__(*_)
        distributed.global_state.preemption_sync_manager.shutdown()
        distributed.global_state.preemption_sync_manager = None
        signal.signal(signal.SIGTERM, self._term)
