"""Speed of the street renderer: triplets with label, depth and poses, in frames a second.

    python benchmarks/streets.py
    python benchmarks/streets.py --sizes 512x1024 --processes 1,8 --seconds 20 --output streets.json

A sample is three frames (the target and its neighbors), rendered as `cli.prepare` has it rendered (twice the size on
each side, then averaged), in the processes that it uses (data/preparing/parallel.py); coding and writing are left out.
Printed are frames a second; the processor time of a frame, which other load on the machine disturbs less; and where a
frame's time goes: the functions of the renderer that take most of it, each with what it calls outside of the renderer
(NumPy).
TensorFlow is not needed.
"""

from __future__ import annotations

import argparse
import collections
import functools
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tables import save, show
from timing import device_line

from sde_seg_jax.data.preparing import parallel
from sde_seg_jax.data.street_scenes import clip

FRAMES = 3  # of a sample
DOMAIN, SEED, SUPERSAMPLE = "target", 0, 2  # as data/datasets/street_scenes.py has it
STARTING = 2.0  # seconds until all processes work: samples for this long are added
FOLDER = str(pathlib.Path(clip.__file__).parent)

Size = tuple[int, int]  # height, width


class Done(NamedTuple):
    """A rendered sample: by which process, when it was ready, that process's processor time so far; in seconds."""

    process: int
    end: float
    busy: float


def render(index: int, size: Size) -> Done:
    """Renders a sample; what it gives is dropped."""
    sample(index, size)
    return Done(os.getpid(), time.perf_counter(), time.process_time())


def sample(index: int, size: Size) -> dict[str, Any]:
    """What is timed."""
    return clip.render_sample(DOMAIN, SEED, index, size=size, supersample=SUPERSAMPLE)


def throughput(size: Size, processes: int, seconds: float) -> dict[str, float]:
    """Frames a second of so many processes at work for about `seconds`, and processor seconds of a frame."""
    render(0, size)
    pace = [render(index, size) for index in (1, 2)]
    each = max(parallel.MIN_PER_WORKER, math.ceil((seconds + STARTING) / (pace[1].end - pace[0].end)))
    return rates(list(parallel.in_order(functools.partial(render, size=size), range(each * processes), processes)))


def rates(done: Sequence[Done]) -> dict[str, float]:
    """Frames a second of all processes, from when each has rendered its first sample on, and how many they were.

    The sum over processes of samples after the first by the time from the first to the last.
    """
    runs: dict[int, list[Done]] = {}
    for one in done:
        runs.setdefault(one.process, []).append(one)
    all_started = max(run[0].end for run in runs.values())
    runs = {process: [one for one in run if one.end >= all_started] for process, run in runs.items()}
    measured = [run for run in runs.values() if len(run) > 1]
    rendered = FRAMES * sum(len(run) - 1 for run in measured)
    return {
        "processes": len(runs),
        "frames": rendered,
        "frames_per_second": FRAMES * sum((len(run) - 1) / (run[-1].end - run[0].end) for run in measured),
        "processor_seconds_per_frame": sum(run[-1].busy - run[0].busy for run in measured) / rendered,
    }


def own_times(call: Callable[[], Any], folder: str) -> dict[str, float]:
    """Processor seconds of `call` by function of the modules in `folder`, each with all that it calls elsewhere.

    Functions within a function count as it. Times add up to the whole.
    """
    times: dict[str, float] = collections.defaultdict(float)
    stack: list[str] = []
    last = 0.0

    def watch(frame, event, argument):
        nonlocal last
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.startswith(folder):
            return
        now = time.thread_time()
        if stack:
            times[stack[-1]] += now - last
        if event == "return":
            stack.pop()
        else:
            stack.append(f"{pathlib.PurePath(code.co_filename).stem}.{code.co_qualname.partition('.<')[0]}")
        last = time.thread_time()

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(before)
    return dict(times)


def shares(size: Size, top: int) -> list[dict[str, Any]]:
    """The `top` functions of the renderer that take most time, and the rest."""
    sample(0, size)
    found = collections.Counter(own_times(lambda: [sample(index, size) for index in (1, 2)], FOLDER))
    whole = sum(found.values())
    most = found.most_common(top)
    rows = [*most, (f"{len(found) - len(most)} others", whole - sum(seconds for _, seconds in most))]
    return [{"function": name, "share": t / whole, "seconds_per_frame": t / (2 * FRAMES)} for name, t in rows]


def size_of(text: str) -> Size:
    """ "512x1024" -> (512, 1024), height and width."""
    height, width = (int(side) for side in text.split("x"))
    return height, width


def text_of(size: Size) -> str:
    """(512, 1024) -> "512x1024"."""
    return "{}x{}".format(*size)


def tell(speed: Sequence[dict[str, Any]], parts: Sequence[dict[str, Any]]) -> None:
    """Prints both tables."""
    columns = ["size", "processes", "frames", "frames/s", "processor ms a frame"]
    cells = [
        [
            text_of(r["size"]),
            r["processes"],
            r["frames"],
            r["frames_per_second"],
            1e3 * r["processor_seconds_per_frame"],
        ]
        for r in speed
    ]
    show("Street scenes: triplets with label, depth and poses", columns, cells)
    columns = ["size", "function", "share", "ms a frame"]
    cells = [[text_of(r["size"]), r["function"], f"{r['share']:.1%}", 1e3 * r["seconds_per_frame"]] for r in parts]
    show("Where a frame's time goes", columns, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="64x128,256x512,512x1024", help="height x width")
    parser.add_argument("--seconds", type=float, default=3, help="of a measurement; at least some samples are rendered")
    parser.add_argument("--processes", default=f"1,{os.cpu_count()}", help="as 1,2; default: one, and one a core")
    parser.add_argument("--top", type=int, default=5, help="functions in the second table")
    parser.add_argument("--output", help="a JSON file")
    options = parser.parse_args()
    sizes = [size_of(text) for text in options.sizes.split(",")]
    counts = sorted({int(count) for count in options.processes.split(",")})
    print(device_line())
    speed, parts = [], []
    for size in sizes:
        for count in counts:
            speed.append({"size": size, **throughput(size, count, options.seconds)})
        parts += [{"size": size, **row} for row in shares(size, options.top)]
    tell(speed, parts)
    found = {"device": device_line(), "cores": os.cpu_count(), "load": os.getloadavg()[0], "options": vars(options)}
    save(options.output, found | {"speed": speed, "shares": parts})


if __name__ == "__main__":
    main()
