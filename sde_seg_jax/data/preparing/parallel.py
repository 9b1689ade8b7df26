"""Computing items in processes, in order, a bounded number ahead of the consumer."""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import multiprocessing.spawn
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

AHEAD = 2  # results a worker may be ahead; bounds memory
MIN_PER_WORKER = 4  # starting a process costs about as much as some items


def in_order(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yields function(item) in the order of `items`, computed by `workers` processes (in this one if < 2).

    Processes are spawned, not forked: TensorFlow and JAX have threads, which do not survive a fork. So
    `function` and the items are picklable. The caller's script is not run again in them, unless what they compute is
    defined there; only such a script guards itself by the usual `if __name__ == "__main__":`.

    Raises:
      ValueError: a worker process was killed, which is what happens when memory runs out.
    """
    workers = min(workers, len(items) // MIN_PER_WORKER)
    if workers < 2:
        yield from map(function, items)
        return
    of_script = b"__main__" in pickle.dumps((function, items[0]))
    context = multiprocessing.get_context("spawn") if of_script else _WithoutScript()
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent) as pool:
        try:
            pending = collections.deque()
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > AHEAD * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool:
            raise ValueError(
                f"one of {workers} worker processes ended abruptly, most likely for lack of memory; "
                f"start again with fewer workers"
            ) from None
        finally:  # the consumer stopped early: what was not begun is not wanted
            pool.shutdown(wait=True, cancel_futures=True)


class _ProcessWithoutScript(multiprocessing.context.SpawnProcess):
    def start(self) -> None:
        """Starts the process without telling it which script to import first."""
        prepare = multiprocessing.spawn.get_preparation_data

        def without_script(name: str) -> dict[str, Any]:
            return {key: value for key, value in prepare(name).items() if not key.startswith("init_main")}

        multiprocessing.spawn.get_preparation_data = without_script
        try:
            super().start()
        finally:
            multiprocessing.spawn.get_preparation_data = prepare


class _WithoutScript(multiprocessing.context.SpawnContext):
    Process = _ProcessWithoutScript


def _follow_parent() -> None:
    """Makes a worker leave Ctrl-C to its parent, and end when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
