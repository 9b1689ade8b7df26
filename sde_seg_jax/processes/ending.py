"""How processes of one task end: with one line each, and none stays behind.

A process that fails says so to the others, through the store of jax's coordinator. One that is killed cannot: the
others learn from jax, which misses its signs of life, or from a collective that breaks off. jaxlib would abort there,
with a trace of C++: it is given a callback that it cannot call, and what it throws then is caught by `on_abort`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from typing import Any, NoReturn

import tqdm

LOST = 75  # exit status where another process was lost: EX_TEMPFAIL of sysexits.h, "try again"
KEY = "sde_seg/ended"
NOTICE = 0.5  # seconds in which jax notices the end of another process, if that was why this one failed
GRACE = 1.0  # seconds for a process to end in its own words before it ends in another's
WATCH = 3600  # seconds of one look at the store
CPP = ("libstdc++.so.6", "libc++abi.dylib")  # where std::set_terminate is, on Linux and on macOS
SET_TERMINATE = "_ZSt13set_terminatePFvvE"


class Ending:
    """Of process `index`; `client` is jax's of the coordinator."""

    def __init__(self, index: int, lost: str):
        self._index, self._lost = index, lost
        self._heard: tuple[int, str] | None = None  # status and words of a process that ended before
        self._once = threading.Lock()
        self._client: Any = None
        self._gone = False  # has jax noticed that another process is gone?
        self._over: int | None = None  # the exit status, once all is done or stopped

    def watch(self, client: Any) -> None:
        """Ends this process soon after another has said that it failed."""
        self._client = client
        threading.Thread(target=self._watch, daemon=True).start()

    def on_abort(self) -> None:
        """Where C++ would abort, since the coordinator or another process is gone, this process ends with a line."""
        self._handler = ctypes.CFUNCTYPE(None)(self._lost_another)  # kept: C++ holds no reference
        for name in CPP:
            with contextlib.suppress(OSError, AttributeError):
                getattr(ctypes.CDLL(name), SET_TERMINATE)(self._handler)
                return

    def lost(self, reason: str = "") -> NoReturn:
        """Ends this process after another one was lost, with what that one said, if it could."""
        time.sleep(GRACE)
        status, words = self._heard or (LOST, f"{self._lost} ({reason})" if reason else self._lost)
        self._leave(status, f"process {self._index}: error: {words}")

    def failed(self, status: int, line: str) -> NoReturn:
        """Ends this process with a line, and the others with what it was."""
        time.sleep(NOTICE)
        if self._gone:  # it failed since another is gone, whatever it says: a save that did not end, for one
            self.lost()
        if self._client is not None and self._heard is None:
            words = f"{status} stopped, because process {self._index} ended: {line}"
            with contextlib.suppress(Exception):  # the coordinator is gone, or somebody was first
                self._client.key_value_set(KEY, words)
                if self._index == 0:
                    time.sleep(GRACE)  # the store ends with this process
        self._leave(status, f"process {self._index}: {line}")

    def over(self, status: int) -> None:
        """All is done, or stopped, and told: what happens from here on is not."""
        self._over = status

    def _lost_another(self) -> None:
        if self._over is not None:
            os._exit(self._over)
        self._gone = True
        self.lost()

    def _watch(self) -> None:
        while self._over is None:
            try:
                status, _, words = self._client.blocking_key_value_get(KEY, 1000 * WATCH).partition(" ")
            except Exception as error:
                if "DEADLINE_EXCEEDED" in str(error):
                    continue
                return  # the coordinator is gone: jax ends this process
            self._heard = int(status), words
            if self._over is None:
                self.lost()

    def _leave(self, status: int, line: str) -> NoReturn:
        if not self._once.acquire(blocking=False):
            threading.Event().wait()  # another thread is ending this process
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            below = "\n" if getattr(tqdm.tqdm, "_instances", ()) else ""  # a bar that nobody ends any more
            sys.stderr.write(f"{below}{line}\n")
            sys.stderr.flush()
        os._exit(status)  # jax would wait for the others at exit
