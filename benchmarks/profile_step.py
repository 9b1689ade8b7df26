"""Where the time of a training step goes on a CPU: convolutions by direction, and everything else by its source file.

    python benchmarks/profile_step.py                                        # every task, small networks
    python benchmarks/profile_step.py --tasks supervised --convolutions      # and each convolution: GFLOP/s

Runs on one core, where kernels follow each other and each has a time of its own. A kernel counts for the file of ours
that wrote its last operation. "idle" is measured apart, with all cores: the share of the cores' time that a step leaves
unused. Nothing is read from the compilation cache.
"""

from __future__ import annotations

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import time

if __name__ == "__main__":  # before jax reads them
    os.environ["JAX_PLATFORMS"] = "cpu"
    if "SDE_SEG_PROFILE_ONE_CORE" in os.environ:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"

import hlo
import jax
from cases import KINDS, SETTINGS, TASKS, make_case, setting_of
from tables import show
from timing import device_line

from sde_seg_jax.training import sharding

ALONE = "SDE_SEG_PROFILE_ONE_CORE"  # set for the processes of one core
PARTS = {  # path within the package, or a piece of another package's: what it is
    "models/batch_norm": "batch norm",
    "models/pad": "padding, resizing",
    "imaging/resize": "padding, resizing",
    "models/max_pool": "max pooling",
    "models/convolution": "copies for convolutions",
    "models/": "activation, bias, skips",
    "losses/": "loss",
    "geometry/": "warp",
    "imaging/": "augmentation",
    "mixing/": "mixing",
    "training/": "optimiser, teacher",
    "optax/": "optimiser, teacher",
    "tasks/": "task",
}
OTHER = "XLA's copies, other"


def compiled_step(task: str, setting: str):
    """(compiled step, state, streams) of a case, without the compilation cache."""
    jax.config.update("jax_enable_compilation_cache", False)
    case = make_case(task, setting_of(task, setting))
    mesh = sharding.make_mesh([case.setting.batch])
    state = sharding.replicate(case.state, mesh)
    return sharding.compile_step(case.step, mesh).lower(state, case.streams).compile(), state, case.streams


def kernel_seconds(compiled, state, streams, steps: int) -> dict[str, float]:
    """Seconds a step of each instruction that ran, mean of `steps`; meant for one core."""
    state, logs = compiled(state, streams)
    jax.block_until_ready(logs)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(steps):
                state, logs = compiled(state, streams)
                jax.block_until_ready(logs)
        (file,) = pathlib.Path(folder).rglob("*.xplane.pb")
        trace = jax.profiler.ProfileData.from_file(str(file))
        found = collections.Counter()
        for event in (event for plane in trace.planes for line in plane.lines for event in line.events):
            if "hlo_op" in (stats := dict(event.stats)) and not event.name.startswith("end: "):
                found[stats["hlo_op"]] += event.duration_ns * 1e-9 / steps
    return dict(found)


def part_of(instruction: hlo.Instruction) -> str:
    """What an instruction is for."""
    if instruction.opcode == "convolution":
        return f"convolution, {instruction.direction}"
    if instruction.opcode == "dot":
        return "product, forward" if instruction.direction == "forward" else "product, back"
    return next((part for piece, part in PARTS.items() if piece in instruction.file), OTHER)


def profile(task: str, setting: str, steps: int, each: bool) -> None:
    """Prints the tables of a task; runs in a process of one core."""
    compiled, state, streams = compiled_step(task, setting)
    known = hlo.every_instruction(compiled.as_text())
    seconds = kernel_seconds(compiled, state, streams, steps)
    seconds = {name: value for name, value in seconds.items() if known[name].opcode != "while"}  # its inside counts
    total, parts, shapes = sum(seconds.values()), collections.Counter(), collections.Counter()
    for name, value in seconds.items():
        parts[part_of(known[name])] += value
        if known[name].opcode in ("convolution", "dot"):
            shapes[known[name].shapes, part_of(known[name])] += value
    rows = [[part, 1e3 * value, f"{100 * value / total:.0f} %"] for part, value in parts.most_common()]
    show(f"{task}, one core: {1e3 * total:.0f} ms", ["part", "ms", "share"], rows)
    if each:
        rows = [[shape, part, 1e3 * value] for (shape, part), value in shapes.most_common(40)]
        show(f"{task}: convolutions and products", ["shapes", "direction", "ms"], rows)


def idle(task: str, setting: str, steps: int) -> tuple[float, float]:
    """Milliseconds of a step on all cores, and the share of their time that it leaves unused."""
    compiled, state, streams = compiled_step(task, setting)
    state, logs = compiled(state, streams)
    jax.block_until_ready(logs)
    begin, used = time.perf_counter(), time.process_time()
    for _ in range(steps):
        state, logs = compiled(state, streams)
        jax.block_until_ready(logs)
    wall, used = time.perf_counter() - begin, time.process_time() - used
    return 1e3 * wall / steps, 1 - used / wall / len(os.sched_getaffinity(0))


def main() -> None:
    """The command line."""
    names = lambda text: text.split(",")  # noqa: E731
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", default="small", choices=SETTINGS)
    parser.add_argument("--tasks", default=list(TASKS), type=names, help=f"comma-separated, of {', '.join(KINDS)}")
    parser.add_argument("--steps", default=5, type=int, help="that are timed")
    parser.add_argument("--convolutions", action="store_true", help="a table of each convolution, too")
    given = parser.parse_args()
    if ALONE in os.environ:
        profile(given.tasks[0], given.setting, given.steps, given.convolutions)
        return
    print(device_line(), flush=True)
    rows = []
    for task in given.tasks:
        options = [f"--tasks={task}", f"--setting={given.setting}", f"--steps={given.steps}"]
        options += ["--convolutions"] * given.convolutions
        subprocess.run([sys.executable, __file__, *options], env={**os.environ, ALONE: "1"}, check=True)
        took, unused = idle(task, given.setting, given.steps)
        rows.append([task, took, f"{100 * unused:.0f} %"])
    show(f"all {len(os.sched_getaffinity(0))} cores", ["task", "ms", "idle"], rows)


if __name__ == "__main__":
    main()
