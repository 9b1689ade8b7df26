"""Processor time until the first step: what tracing, lowering and compiling a training step for the CPU take.

    python benchmarks/compile_time.py                                       # every task, networks of tests/tiny
    python benchmarks/compile_time.py --setting small --tasks supervised

Processor seconds of all threads, not the clock's: other work on the machine changes them little. Nothing is read from
the compilation cache. "kernels" are fusions of the compiled program; most of the time goes to their machine code.
"""

from __future__ import annotations

import argparse
import os
import time

if __name__ == "__main__":  # on a machine with an accelerator, too
    os.environ["JAX_PLATFORMS"] = "cpu"

import hlo
import jax
from cases import SETTINGS, TASKS, Setting
from flops import abstract_case
from tables import show

from sde_seg_jax.training import sharding

COLUMNS = ["task", "trace, lower [s]", "compile [s]", "kernels"]


def measure(task: str, setting: Setting) -> tuple[float, float, int]:
    """Processor seconds of tracing with lowering, and of compiling; number of fusions."""
    case = abstract_case(task, setting)
    begin = time.process_time()
    lowered = sharding.compile_step(case.step, sharding.make_mesh([1])).lower(case.state, case.streams)
    middle = time.process_time()
    compiled = lowered.compile()
    end = time.process_time()
    return middle - begin, end - middle, hlo.instructions(compiled.as_text())["fusion"]


def main() -> None:
    """The command line."""
    names = lambda text: text.split(",")  # noqa: E731
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", default="tiny", choices=SETTINGS)
    parser.add_argument("--tasks", default=list(TASKS), type=names, help=f"comma-separated, of {', '.join(TASKS)}")
    given = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    rows = []
    for task in given.tasks:
        rows.append([task, *measure(task, SETTINGS[given.setting])])
        print(*rows[-1], flush=True)
    show(f"processor time until the first step, {given.setting}", COLUMNS, rows)


if __name__ == "__main__":
    main()
