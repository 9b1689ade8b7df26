"""Speed of the input pipeline: prepared frames -> random crop and flip -> batches, in images a second.

    python benchmarks/input.py --data prepared/cityscapes/1.0.0 --output input.json
    python benchmarks/input.py                              # renders 24 street scenes first (a minute)

Compares ours with a plain PyTorch DataLoader (`pip install torch`, the CPU wheel) over the same JPEG and PNG files, and
with the decode limit: OpenCV decoding the same bytes in a loop, nothing else. Three cases: single frames with label,
triplets (3 frames and the camera), and single frames cached in memory as uint8. Every contender has its own process
and rests while another is timed; they take turns, `--rounds` times, so that other load meets all alike. Printed are
medians over the rounds, images a second (a triplet counts 3) in total and per second of processor time of the
contender's processes ("per core"), and peak memory (resident, of its process; of workers in brackets).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pathlib
import platform
import statistics
import tempfile
import time

from contenders import BATCH, CONTENDERS, FIELDS, FRAMES, REFERENCES, opened, start


def contend(pipe, data: dict, case: str, contender: str) -> None:
    """A contender's process: warms up, then measures for as long as it is told, again and again; None ends it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    batches = start(data, case, contender)
    for _ in range(4):
        next(batches)
    pipe.send("ready")
    while (seconds := pipe.recv()) is not None:
        for _ in range(6):
            next(batches)  # what was read ahead while resting does not count
        begin, busy, count = time.perf_counter(), processor_time(), 0
        while time.perf_counter() - begin < seconds:
            next(batches)
            count += BATCH * FRAMES[case]
        wall = time.perf_counter() - begin
        pipe.send({"wall": count / wall, "core": count / (processor_time() - busy), "peak": peaks()})
    os._exit(0)  # no contender has anything to put away


def processes() -> list[int]:
    """This process and its workers."""
    found = [os.getpid()]
    for task in pathlib.Path("/proc/self/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def processor_time() -> float:
    """Seconds on processors so far, of this process and its workers."""
    ticks = 0
    for process in processes():
        ticks += sum(map(int, pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peaks() -> list[float]:
    """Peak resident memory in MB: of this process, then of each worker."""
    result = []
    for process in processes():
        lines = pathlib.Path(f"/proc/{process}/status").read_text().splitlines()
        result += [int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")]
    return result


def unpacked(folder: str, split: str, target: pathlib.Path, limit: int) -> dict:
    """Writes the stored image files of up to `limit` samples out as they are, for the references."""
    from sde_seg_jax.data.reading.source import stored

    source = opened(folder, split)
    files, intrinsics = [], []
    for index in range(min(limit, len(source))):
        sample = stored(source, index)
        images = [sample["image"], *sample["neighbors"]]
        names = [target / f"{index}_{frame}.jpg" for frame in range(len(images))]
        for name, content in zip(names, images, strict=True):
            name.write_bytes(content)
        label = target / f"{index}.png"
        label.write_bytes(sample["label"])
        files.append({"images": [str(name) for name in names], "label": str(label)})
        intrinsics.append([float(value) for value in sample["intrinsics"]])
    return {"files": files, "intrinsics": intrinsics, "size": list(source.size)}


def measure(data: dict, case: str, seconds: float, rounds: int) -> dict[str, dict]:
    """Runs all contenders of a case in turn; returns medians by contender."""
    context = multiprocessing.get_context("spawn")
    pipes, running = {}, {}
    for name in CONTENDERS[case] + REFERENCES:
        pipes[name], theirs = context.Pipe()
        running[name] = context.Process(target=contend, args=(theirs, data, case, name))
        running[name].start()
        theirs.close()  # so that its end is noticed here
        assert pipes[name].recv() == "ready"
    found = {name: [] for name in pipes}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(seconds)
            found[name].append(pipe.recv())
    for name, pipe in pipes.items():
        pipe.send(None)
        running[name].join()
    return {
        name: {
            "images_per_second": statistics.median(r["wall"] for r in results),
            "images_per_core_second": statistics.median(r["core"] for r in results),
            "peak_mb": results[-1]["peak"],
            "rounds": results,
        }
        for name, results in found.items()
    }


def show(case: str, results: dict[str, dict]) -> None:
    """Prints a case: rates, and their ratios to PyTorch and to decoding alone."""
    torch, limit = results["torch, uint8"], results["decoding alone, 1 thread"]
    print(f"\n{case}\n{'':36} images/s   per core   x torch: total, core   x decoding: core   peak MB")
    for name, r in results.items():
        total, core = r["images_per_second"], r["images_per_core_second"]
        first, *workers = (f"{peak:.0f}" for peak in r["peak_mb"])
        print(
            f"{name:36} {total:8.0f}   {core:8.0f}   {total / torch['images_per_second']:8.2f}"
            f"   {core / torch['images_per_core_second']:8.2f}   {core / limit['images_per_core_second']:16.2f}   "
            f"{first}{' (' + ', '.join(workers) + ')' if workers else ''}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a prepared folder, <prepared_dir>/<name>/<version>, with neighbors and labels")
    parser.add_argument("--split", default="train")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), help="height width of the rendered scenes")
    parser.add_argument("--crop", type=int, nargs=2, default=(512, 512), help="height width")
    parser.add_argument("--limit", type=int, default=200, help="samples that the references read")
    parser.add_argument("--seconds", type=float, default=3, help="of a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=sorted(FIELDS), default=list(FIELDS))
    parser.add_argument("--output", help="a JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.data
        if folder is None:
            from sde_seg_jax.data.preparing.prepare import prepare

            size, counts = tuple(options.size), {"train": 24}
            made = prepare("street_scenes", prepared_dir=temporary, size=size, splits=("train",), counts=counts)
            folder = str(made)
        raw = pathlib.Path(temporary) / "files"
        raw.mkdir()
        data = {"folder": folder, "split": options.split, "crop": options.crop}
        data |= unpacked(folder, options.split, raw, options.limit)
        mean = statistics.mean(os.path.getsize(name) for sample in data["files"] for name in sample["images"])
        print(
            f"{len(data['files'])} samples of {data['size']}, {mean / 1e3:.0f} KB a frame; "
            f"batch {BATCH}, crop {options.crop}"
        )
        cases = {}
        for case in options.cases:
            cases[case] = measure(data, case, options.seconds, options.rounds)
            show(case, cases[case])
    if options.output:
        facts = {
            "cores": os.cpu_count(),
            "machine": platform.processor(),
            "options": vars(options),
            "frame_bytes": mean,
        }
        pathlib.Path(options.output).write_text(json.dumps(facts | {"cases": cases}, indent=2, default=str))


if __name__ == "__main__":
    main()
