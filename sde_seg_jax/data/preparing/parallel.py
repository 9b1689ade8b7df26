"""Computing items in processes, in order, a bounded number ahead of the consumer."""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
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
    `function` and the items are picklable, and a script that calls this guards itself by the usual
    `if __name__ == "__main__":`.

    Raises:
      ValueError: a worker process was killed, which is what happens when memory runs out.
    """
    workers = min(workers, len(items) // MIN_PER_WORKER)
    if workers < 2:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
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


def _follow_parent() -> None:
    """Makes a worker leave Ctrl-C to its parent, and end when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
