"""Computing items in processes, in order, a bounded number ahead of the consumer."""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

AHEAD = 4  # results a worker may be ahead; bounds memory
MIN_PER_WORKER = 4  # starting a process costs about as much as some items


def in_order(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yields function(item) in the order of `items`, computed by `workers` processes (in this one if < 2).

    Processes are spawned, not forked: TensorFlow and JAX have threads, which do not survive a fork. So
    `function` and the items are picklable, and a script that calls this guards itself by the usual
    `if __name__ == "__main__":`.
    """
    workers = min(workers, len(items) // MIN_PER_WORKER)
    if workers < 2:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            pending = collections.deque()
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > AHEAD * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:  # the consumer stopped early: what was not begun is not wanted
            pool.shutdown(wait=True, cancel_futures=True)
