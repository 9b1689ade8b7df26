"""Contenders in processes of their own, so that the thread pools of jax and PyTorch don't disturb each other."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

from timing import Times, summary

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}  # the second: of all threads, added up
CALLS = 3  # a turn, after one that is not counted


@dataclasses.dataclass
class Rival:
    """A contender that waits in another process."""

    facts: dict[str, Any]  # what its maker said of it
    process: multiprocessing.process.BaseProcess
    pipe: Any

    def turn(self, calls: int = CALLS, clock: str = "wall") -> list[float]:
        """Seconds of so many calls by one of CLOCKS. Raises RuntimeError if they fail."""
        self.pipe.send((calls, clock))
        return _answer(self.pipe, self.process)

    def stop(self) -> None:
        """Ends the process and waits for it."""
        self.pipe.close()
        self.process.join()


def start(make: Callable[..., tuple[dict[str, Any], Callable[[], Any]]], *arguments: Any) -> Rival:
    """Runs `make(*arguments)` -> (facts, call) in a new process; `call` blocks until its work is done.

    Raises RuntimeError with the last line of what went wrong there.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_wait_and_run, args=(theirs, make, arguments), daemon=True)
    process.start()
    theirs.close()
    return Rival(_answer(ours, process), process, ours)


def measure(rivals: dict[str, Rival], *, rounds: int, seconds: float, clock: str = "wall") -> dict[str, Times]:
    """Times of their calls by one of CLOCKS, in turns.

    At least `rounds` turns, and until `seconds` have passed for each.
    """
    found: dict[str, list[float]] = {name: [] for name in rivals}
    end, turn = time.perf_counter() + seconds * len(rivals), 0
    while turn < rounds or time.perf_counter() < end:
        for name, rival in rivals.items():
            found[name] += rival.turn(clock=clock)
        turn += 1
    return {name: summary(values) for name, values in found.items()}


def _answer(pipe, process) -> Any:
    try:
        kind, value = pipe.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"its process ended with status {process.exitcode}; out of memory?") from None
    if kind == "error":
        raise RuntimeError(value)
    return value


def _wait_and_run(pipe, make, arguments) -> None:
    try:
        facts, call = make(*arguments)
        for _ in range(2):
            call()
        pipe.send(("facts", facts))
        while True:
            count, clock = pipe.recv()
            call()  # caches and clocks belong to whoever ran before
            pipe.send(("times", [_seconds(call, CLOCKS[clock]) for _ in range(count)]))
    except EOFError:  # no more turns
        return
    except Exception as error:  # whatever it is, the other side tells it
        pipe.send(("error", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"))


def _seconds(call: Callable[[], Any], now: Callable[[], float]) -> float:
    begin = now()
    call()
    return now() - begin
