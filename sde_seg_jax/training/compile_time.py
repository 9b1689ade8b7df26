"""How long compiling will take, told before it begins, so that nobody takes it for a hang.

What was compiled here before tells: the programs and their times stand beside the compiled programs themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import statistics
import time
from collections.abc import Callable

import jax

from sde_seg_jax.state_files.reading import DamagedFile, read_json
from sde_seg_jax.state_files.schemas import COMPILE_TIMES
from sde_seg_jax.state_files.writing import write_json

FILE = "times.json"  # in the folder of compiled programs: digest -> [platform, operations, seconds]
KEPT = 200  # programs that are remembered
# Seconds an operation of the lowered program, until something was compiled here: 40 s of processor time for the 22,522
# lines of the step of configs/folder.py:quick_depth, on an AMD EPYC with AVX2. Nothing is known of other platforms.
USUAL = 0.0018
SHORT = 5.0  # seconds that need no explanation
LOADED = 0.2  # share of the expected time below which a program was not compiled but found

Times = dict[str, list]


def compile_told(lowered: jax.stages.Lowered, tell: Callable[[str], None]) -> jax.stages.Compiled:
    """`lowered.compile()`, after a line on how long that takes and where the result is kept, if it takes long."""
    text = lowered.as_text()
    platform, operations = jax.default_backend(), text.count("\n")
    kind = jax.devices()[0].device_kind
    digest = hashlib.sha256(f"{jax.__version__} {platform} {kind} {text}".encode()).hexdigest()
    folder = jax.config.jax_compilation_cache_dir
    times = _read(folder)
    expected = expected_seconds(times, platform, operations)
    if digest in times and times[digest][2] >= SHORT:
        tell(f"loading the compiled training step from {folder}")
    elif digest not in times and expected >= SHORT:
        where = f"once; kept in {folder}" if folder else "and again for every run: nothing is kept"
        tell(f"compiling the training step (about {_rounded(expected)} s, {where})")
    began, worked = time.monotonic(), time.process_time()
    compiled = lowered.compile()
    took = time.monotonic() - began
    if platform == "cpu":  # a busy machine, or a process that was paused, tells nothing about the next time
        took = min(took, time.process_time() - worked)
    if folder and digest not in times and took >= LOADED * expected:
        newest = [*times.items(), (digest, [platform, operations, round(took, 2)])][-KEPT:]
        with contextlib.suppress(OSError):  # it is told no better next time
            write_json(pathlib.Path(folder) / FILE, dict(newest))
    return compiled


def expected_seconds(times: Times, platform: str, operations: int) -> float:
    """By the median time an operation of what was compiled here on the platform; USUAL if nothing was."""
    rates = [seconds / known for where, known, seconds in times.values() if where == platform and known]
    return operations * (statistics.median(rates) if rates else USUAL)


def _read(folder: str | None) -> Times:
    path = pathlib.Path(folder or "") / FILE
    if not folder or not path.is_file():
        return {}
    try:
        return read_json(path, COMPILE_TIMES)
    except (DamagedFile, OSError):
        return {}


def _rounded(seconds: float) -> int:
    """To one digit below 100 s and to two above: it is a guess."""
    digits = 10 if seconds >= 20 else 5
    return max(digits, round(seconds / digits) * digits)
