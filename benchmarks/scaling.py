"""Do several devices compute what one computes, and what does that cost?

    python benchmarks/scaling.py                                        # a CPU host: 8 devices of its own; minutes
    python benchmarks/scaling.py --task multitask --devices 1,2
    python benchmarks/scaling.py --setting published --per-device 4     # several GPUs: images/s, too
    JAX_PLATFORMS=cpu python benchmarks/scaling.py                      # the agreement on a host with one GPU

Agreement: some steps over a mesh of N devices against the same steps on one device with the same global batch, in
float64 (agreement.py). Printed are the worst relative differences, how many pixels of the mixed images differ, and
"across": how much of a device's last image, at least, shows the next device's first, on which it is pasted.

Cost: the collectives of the compiled step in the setting's own precision, how many and how many bytes each device gets
out of them, by XLA for this kind of device; where there are several accelerators images/s at `--per-device` images of
each stream a device (weak scaling), and efficiency, images/s a device against those of the fewest devices.
Exit status: 0 all agree, 1 some do not.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any

import jax
from agreement import BOUND, agreement, agrees, compile_hastily, mesh_of
from cases import SETTINGS, TASKS, Setting, make_case
from collectives import KINDS, collectives
from tables import save, show
from timing import device_line, measure

from sde_seg_jax.training.sharding import compile_step, put, replicate

COUNTS = (1, 2, 4, 8)


def costs(task: str, setting: Setting, counts: Sequence[int], per_device: int) -> list[dict[str, Any]]:
    """A row for every count, at `per_device` images of each stream a device; with speed on accelerators."""
    timed = jax.default_backend() != "cpu"
    rows, calls = [], {}
    for count in counts:
        mesh, case = mesh_of(count), make_case(task, dataclasses.replace(setting, batch=per_device * count))
        state, streams = replicate(case.state, mesh), put(case.streams, mesh)
        step = compile_hastily(compile_step(case.step, mesh), state, streams)
        size = sum(x.nbytes for x in jax.tree.leaves(case.state.student.params))
        row = {"devices": count, "images": case.images, "parameter_bytes": size}
        rows.append(row | {"collectives": collectives(step.as_text())})
        if timed:
            calls[str(count)] = _call(step, state, streams)
    fewest = None
    for name, times in measure(calls).items() if timed else ():
        row = next(row for row in rows if row["devices"] == int(name))
        speed = row["images"] / times.median
        fewest = fewest or speed / row["devices"]
        row |= {"seconds": times.median, "images_per_second": speed, "efficiency": speed / row["devices"] / fewest}
    return rows


def _call(step, state, streams):
    def call():
        nonlocal state  # donated
        state, _ = step(state, streams)
        jax.block_until_ready(state)

    return call


def tell(rows: Sequence[dict[str, Any]], cost: Sequence[dict[str, Any]], batch: int, options) -> None:
    """Prints both tables."""
    if rows:
        title = f"{options.task}, {options.agreement}: {batch} images of each stream over devices against one device"
        title += f", float64, worst relative difference in {options.steps} steps"
        show(title, [*rows[0], "agrees"], [[*row.values(), agrees(row)] for row in rows])
    elif options.agreement != "none":
        print("one device, nothing to compare; JAX_PLATFORMS=cpu compares on the host's")
    columns, cells = ["devices", "images"], [[row["devices"], row["images"]] for row in cost]
    for kind in (k for k in KINDS if any(k in row["collectives"] for row in cost)):
        columns += [kind, "MB"]
        for line, row in zip(cells, cost, strict=True):
            count, size = row["collectives"].get(kind, (0, 0))
            line += [count, size / 1e6]
    if jax.default_backend() == "cpu":
        print("\nThe devices of a CPU host share its cores: time would tell nothing of speed, so none is taken.")
    else:
        columns += ["ms/step", "images/s", "efficiency"]
        for line, row in zip(cells, cost, strict=True):
            line += [1e3 * row["seconds"], row["images_per_second"], row["efficiency"]]
    title = f"{options.task}, {options.setting}: a step of {options.per_device} images of each stream a device"
    show(f"{title}; parameters {cost[0]['parameter_bytes'] / 1e6:.3g} MB", columns, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", help="counts, as 1,2,4; default: those of 1,2,4,8 that there are")
    parser.add_argument("--task", choices=sorted(TASKS), default="semi_supervised")
    parser.add_argument("--setting", choices=sorted(SETTINGS), default="tiny", help="of the cost")
    parser.add_argument("--agreement", choices=[*sorted(SETTINGS), "none"], default="tiny", help="its setting")
    parser.add_argument("--per-device", type=int, default=2, help="images of each stream a device")
    parser.add_argument("--steps", type=int, default=3, help="that are compared")
    parser.add_argument("--output", help="a JSON file")
    options = parser.parse_args()
    counts = [int(n) for n in options.devices.split(",")] if options.devices else None
    jax.config.update("jax_num_cpu_devices", max(counts or COUNTS))  # of accelerators there are as many as there are
    present = len(jax.devices())
    if counts and max(counts) > present:
        parser.error(f"--devices {options.devices}: {present} there; JAX_PLATFORMS=cpu makes as many as are asked for")
    counts = counts or [n for n in COUNTS if n <= present]
    print(device_line())
    batch, rows = options.per_device * math.lcm(*counts), []
    if options.agreement != "none":
        rows = agreement(options.task, SETTINGS[options.agreement], counts, batch, options.steps)
    cost = costs(options.task, SETTINGS[options.setting], counts, options.per_device)
    tell(rows, cost, batch, options)
    found = {"device": device_line(), "options": vars(options), "global_batch": batch, "bound": BOUND}
    save(options.output, found | {"agreement": rows, "cost": cost})
    sys.exit(0 if all(map(agrees, rows)) else 1)


if __name__ == "__main__":
    main()
