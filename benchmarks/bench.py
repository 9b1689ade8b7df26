"""Runs the benchmarks one after the other, each in a process of its own, and prints one table of all.

    python benchmarks/bench.py                              # make bench: a laptop, minutes
    python benchmarks/bench.py --gpu --folder out           # make bench-gpu: published networks, an hour on one GPU
    python benchmarks/bench.py --gpu --parts semi,kernels   # some parts

Each part also prints its own tables and leaves FOLDER/PART.json. `ratio` above 1: ours is faster than that contender.
Neither TensorFlow nor ml_collections is needed; without PyTorch the contenders stay empty. Exit status: 0; 1 if a part
failed (the others run all the same).
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from tables import show
from timing import device_line

HERE = pathlib.Path(__file__).resolve().parent
GPU_STEP = ["step.py", "--setting", "published", "--dtype", "bfloat16"]
PARTS = {  # name -> command
    "step": ["step.py", "--rounds", "7", "--seconds", "1"],
    "kernels": ["kernels.py", "--seconds", "0.3"],
    "streets": ["streets.py", "--sizes", "64x128,512x1024", "--seconds", "1.5"],
    "scaling": ["scaling.py", "--devices", "1,2"],
}
GPU_PARTS = {
    "semi": [*GPU_STEP, "--tasks", "semi_supervised", "--batch", "2,8,16,32", "--peers", "eager,tf32,compiled"],
    "sde": [*GPU_STEP, "--tasks", "sde_phase2", "--batch", "2,8,16,32", "--peers", "eager,tf32,compiled"],
    "step": [*GPU_STEP, "--batch", "8", "--peers", "eager"],
    "dispatch": [*GPU_STEP, "--tasks", "semi_supervised", "--batch", "2", "--peers", "none", "--dispatch", "1,4,16"],
    "float32": [*GPU_STEP[:3], "--tasks", "semi_supervised,sde_phase2", "--batch", "2,8", "--peers", "tf32"],
    "kernels": ["kernels.py", "--size", "gpu"],
    "scaling": ["scaling.py", "--setting", "published", "--per-device", "4"],
    "streets": ["streets.py"],
}


def run(name: str, command: list[str], folder: pathlib.Path) -> tuple[bool, float]:
    """Did a part succeed, and its seconds; its output goes where ours goes."""
    output = folder / f"{name}.json"
    output.unlink(missing_ok=True)
    script, *options = command
    paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    print(f"\n### {name}: python benchmarks/{' '.join(command)}", flush=True)
    begin = time.perf_counter()
    status = subprocess.run(
        [sys.executable, str(HERE / script), *options, "--output", str(output)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    ).returncode
    return status == 0, time.perf_counter() - begin


def lines(found: dict) -> list[list]:
    """What one part's JSON adds to the table: what, ours, contender, its value, unit, ratio."""
    if "steps" in found:
        return [line for one in found["steps"] for line in _step_lines(one, found["steps"])]
    if "rows" in found:
        return [line for row in found["rows"] for line in _kernel_lines(row)]
    if "speed" in found:
        return [
            [f"street scenes {'x'.join(map(str, one['size']))}, {one['processes']} processes",
             one["frames_per_second"], "", None, "frames/s", None]
            for one in found["speed"]
        ]  # fmt: skip
    return [
        [f"{row['devices']} devices against one: worst difference", max(_differences(row)), "", None, "relative", None]
        for row in found["agreement"]
    ]


def _differences(row: dict) -> list[float]:
    others = ("devices", "pixels apart", "across")
    return [value for key, value in row.items() if key not in others and value is not None]


def _step_lines(one: dict, all_: list[dict]) -> list[list]:
    same = [o for o in all_ if (o["task"], o["batch"]) == (one["task"], one["batch"])]
    ours = same[0]["images_per_second"] if same[0]["contender"] == "ours" else None
    what = f"{one['task']}, batch {one['batch']}"
    if one["contender"] == "ours":
        return [] if len(same) > 1 else [[what, ours, "", None, "images/s", None]]
    theirs = one["images_per_second"]
    return [[what, ours, one["contender"], theirs, "images/s", ours and ours / theirs]]


def _kernel_lines(row: dict) -> list[list]:
    seconds = {name: 1e3 * times["median"] for name, times in row["seconds"].items()}
    ours = seconds.pop(row["ours"], None)
    what = f"{row['kernel']}, {row['dtype']}, {row['ours']}"
    if not seconds:
        return [[what, ours, "", None, "ms", None]]
    return [[what, ours, f"torch {name}", theirs, "ms", ours and theirs / ours] for name, theirs in seconds.items()]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="published networks instead of small ones")
    parser.add_argument("--parts", help=f"comma-separated: {', '.join(PARTS)}; with --gpu {', '.join(GPU_PARTS)}")
    parser.add_argument("--folder", default="runs/bench", help="for the JSON files")
    given = parser.parse_args()
    parts = GPU_PARTS if given.gpu else PARTS
    names = given.parts.split(",") if given.parts else list(parts)
    unknown = [name for name in names if name not in parts]
    if unknown:
        parser.error(f"unknown part {', '.join(unknown)}; known: {', '.join(parts)}")
    folder = pathlib.Path(given.folder)
    folder.mkdir(parents=True, exist_ok=True)
    table, failed = [], []
    for name in names:
        succeeded, seconds = run(name, parts[name], folder)
        print(f"{name}: {seconds:.0f} s", flush=True)
        failed += [] if succeeded else [name]
        output = folder / f"{name}.json"
        table += [[name, *line] for line in lines(json.loads(output.read_text()))] if output.exists() else []
    columns = ["part", "what", "ours", "contender", "contender's", "unit", "ratio"]
    show(f"{device_line()}; {folder}", columns, table)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
