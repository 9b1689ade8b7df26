"""Times whole training steps, ours beside PyTorch peers that compute the same on the same data.

    python benchmarks/step.py                                   # small networks, for two CPU cores: minutes
    python benchmarks/step.py --setting published --dtype bfloat16 --batch 2,8,32 --peers eager,compiled    # on a GPU
    python benchmarks/step.py --tasks semi_supervised --encoder resnet50 --crop 256x512 --peers none

Columns: median of a step with its quartiles; images a second (images of all streams, their neighbors not counted), and
relative to ours; what compiling took; memory at its peak; model FLOPs counted by rule (flops.py) and by XLA of what it
compiled; and the share of the measured matrix-product peak that the counted FLOPs reach. The contenders of a task and
batch size take turns, each in a process of its own. Memory of ours is what XLA plans for one step, state included; that
of peers is the allocator's peak on a GPU and the growth of the process on a CPU, which is rough.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch lives on the same device

import jax
import jax.numpy as jnp
import rivals
import tables
from cases import KINDS, SETTINGS, TASKS, Setting, make_case, setting_of
from flops import abstract_case, step_flops
from timing import Times, device_line, matmul_peak

from sde_seg_jax.training import sharding

COLUMNS = ["task", "batch", "contender", "ms", "images/s", "x", "compile s", "GiB", "GFLOP", "by XLA", "of peak"]
GIB = 2**30


def ours(task: str, setting: Setting, steps: int) -> tuple[dict[str, Any], Callable[[], Any]]:
    """Facts and call of our compiled step; with `steps` > 1 so many in one dispatch (`lax.scan`)."""
    jax.config.update("jax_enable_compilation_cache", False)  # so that compiling takes what it takes
    case = make_case(task, setting)
    mesh = sharding.make_mesh([setting.batch])
    state, streams = sharding.replicate(case.state, mesh), case.streams
    if steps > 1:
        streams = jax.tree.map(lambda x: jnp.stack([x] * steps), streams)
        compiled = jax.jit(lambda state, streams: jax.lax.scan(case.step, state, streams), donate_argnums=0)
    else:
        compiled = sharding.compile_step(case.step, mesh)
    begin = time.perf_counter()
    compiled = compiled.lower(state, streams).compile()
    seconds = time.perf_counter() - begin
    planned = compiled.memory_analysis()
    outside = planned.argument_size_in_bytes + planned.output_size_in_bytes - planned.alias_size_in_bytes
    costs = compiled.cost_analysis() or {}
    facts = {
        "steps": steps,
        "compile_s": seconds,
        "memory_bytes": outside + planned.temp_size_in_bytes,
        "xla_flops": costs.get("flops") if steps == 1 else None,  # a loop's body counts once
    }
    held = {"state": state}

    def call():
        held["state"], logs = compiled(held["state"], streams)
        jax.block_until_ready(logs)

    return facts, call


def peer(task: str, setting: Setting, mode: str) -> tuple[dict[str, Any], Callable[[], Any]]:
    """Facts and call of a PyTorch peer; its first step compiles."""
    import torch
    from peer.tasks import make_peer

    case, on_gpu = make_case(task, setting), torch.cuda.is_available()
    before = 0 if on_gpu else resident()
    contestant = make_peer(case, mode=mode)

    def call():
        contestant.step()
        if on_gpu:
            torch.cuda.synchronize()

    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    peak = torch.cuda.max_memory_allocated() if on_gpu else peak_resident() - before
    return {"compile_s": seconds[0] - seconds[1] if mode == "compiled" else None, "memory_bytes": peak}, call


def resident() -> int:
    """Bytes of this process now; the next `peak_resident` counts from here."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak starts anew
    except OSError:
        return 0
    return _status("VmRSS")


def peak_resident() -> int:
    """Largest bytes of this process since `resident`; 0 where the system does not tell."""
    return _status("VmHWM")


def _status(name: str) -> int:
    try:
        with open("/proc/self/status") as file:
            lines = [line for line in file if line.startswith(name)]
    except OSError:
        return 0
    return int(lines[0].split()[1]) * 1024


def contenders(task: str, setting: Setting, given: argparse.Namespace) -> dict[str, rivals.Rival]:
    """Ours, then the peers; one that fails is named and left out."""
    makers = {"ours" if n == 1 else f"ours, {n} a dispatch": (ours, n) for n in given.dispatch}
    makers |= {f"torch {mode}": (peer, mode) for mode in given.peers}
    found = {}
    for name, (make, option) in makers.items():
        try:
            found[name] = rivals.start(make, task, setting, option)
        except RuntimeError as error:
            print(f"left out: {name}, {task}, batch {setting.batch}: {error}", flush=True)
    return found


def time_case(task: str, setting: Setting, given: argparse.Namespace, peak: float) -> list[dict]:
    """Everything that is known of one task at one batch size, a dictionary a contender."""
    entered = contenders(task, setting, given)
    times = rivals.measure(entered, rounds=given.rounds, seconds=given.seconds, clock=given.clock)
    counted, images, found = step_flops(task, setting).total, abstract_case(task, setting).images, []
    for name, rival in entered.items():
        rival.stop()
        facts, steps = rival.facts, rival.facts.get("steps", 1)
        taken = Times(*(value / steps for value in dataclasses.astuple(times[name])[:3]), times[name].n)
        found.append(
            {
                "task": task,
                "batch": setting.batch,
                "contender": name,
                "seconds": dataclasses.asdict(taken),
                "images_per_second": images / taken.median,
                "compile_s": facts["compile_s"],
                "memory_bytes": facts["memory_bytes"],
                "flops": counted,
                "xla_flops": facts.get("xla_flops"),
                "of_peak": counted / taken.median / peak,
            }
        )
    return found


def rows(found: list[dict]) -> list[list]:
    """One line a contender; `x` is relative to ours of the same task and batch."""
    lines = []
    for one in found:
        first = next(o for o in found if (o["task"], o["batch"]) == (one["task"], one["batch"]))
        ratio = one["images_per_second"] / first["images_per_second"] if first["contender"] == "ours" else None
        memory = one["memory_bytes"] and one["memory_bytes"] / GIB
        flops = one["xla_flops"] and one["xla_flops"] / 1e9
        lines.append(
            [one["task"], one["batch"], one["contender"], Times(**one["seconds"]).text(), one["images_per_second"],
             ratio, one["compile_s"], memory, one["flops"] / 1e9, flops, f"{100 * one['of_peak']:.0f} %"]
        )  # fmt: skip
    return lines


def settings(task: str, given: argparse.Namespace) -> Iterator[Setting]:
    """One setting a batch size."""
    base = setting_of(task, given.setting)
    crop = tuple(int(n) for n in given.crop.split("x")) if given.crop else base.crop
    model = {**base.model, **({"encoder": given.encoder} if given.encoder else {})}
    for batch in given.batch or [base.batch]:
        yield dataclasses.replace(base, crop=crop, batch=batch, dtype=given.dtype, remat=given.remat, model=model)


def arguments() -> argparse.Namespace:
    """The command line."""
    numbers = lambda text: [int(n) for n in text.split(",")]  # noqa: E731
    names = lambda text: [name for name in text.split(",") if name not in ("", "none")]  # noqa: E731
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", default="small", choices=SETTINGS)
    parser.add_argument("--tasks", default=list(TASKS), type=names, help=f"comma-separated, of {', '.join(KINDS)}")
    parser.add_argument("--encoder", help="another encoder than the setting's")
    parser.add_argument("--crop", help="another crop, HEIGHTxWIDTH")
    parser.add_argument("--batch", type=numbers, help="other batch sizes, comma-separated, images of each stream")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"), help="of our convolutions")
    parser.add_argument("--remat", action="store_true", help="compute blocks again going back (ours)")
    parser.add_argument("--peers", default=["eager"], type=names, help="of eager, tf32, compiled; or none")
    parser.add_argument("--dispatch", default=[1], type=numbers, help="steps a dispatch of ours, comma-separated")
    parser.add_argument("--rounds", default=10, type=int, help="turns of every contender, three steps each, at least")
    parser.add_argument("--seconds", default=2.0, type=float, help="for every contender, at least")
    parser.add_argument(
        "--clock", default="wall", choices=rivals.CLOCKS, help="processor: on a busy machine, one thread"
    )
    parser.add_argument("--output", help="JSON file")
    given = parser.parse_args()
    unknown = [name for name in given.tasks if name not in KINDS]
    if unknown:
        parser.error(f"unknown task {', '.join(unknown)}; known: {', '.join(KINDS)}")
    return given


def main() -> None:
    """The command line."""
    given = arguments()
    peak, found = matmul_peak(given.dtype), []
    print(f"{device_line()}\nmatrix products reach {peak / 1e12:.3g} TFLOP/s in {given.dtype}", flush=True)
    for task in given.tasks:
        for setting in settings(task, given):
            found += time_case(task, setting, given, peak)
            size = f"{setting.crop[0]}x{setting.crop[1]}, {setting.model.get('encoder', 'resnet101')}, {given.dtype}"
            last = [one for one in found if one["task"] == task and one["batch"] == setting.batch]
            tables.show(f"{task}, {size}", COLUMNS, rows(last))
    tables.show(f"all: {device_line()}", COLUMNS, rows(found))
    tables.save(given.output, {"device": device_line(), "peak": peak, "arguments": vars(given), "steps": found})


if __name__ == "__main__":
    main()
