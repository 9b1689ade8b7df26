"""Time and memory of farthest-point sampling; prints JSON.

    python benchmarks/selection.py                                   # 3k, 30k and 300k samples, 100 picks each
    python benchmarks/selection.py --samples 300000 --picks 1000
    python benchmarks/selection.py --samples 3000 --picks 20 --patchwise

Features are random points around random centers, as the frames of a video lie around its places: 4x8 positions with
128 channels (4,096 numbers) unless --shape says otherwise. Every measurement has its own process, so that the peak
memory (resident, features included) is its own; the first pick, which compiles, is timed apart. Processor seconds (of
all cores) tell the cost where other work slows the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pathlib
import time


def clustered(samples: int, shape: tuple[int, ...], clusters: int, seed: int):
    """Features [samples, *shape], float32: a random center of unit variance plus noise of standard deviation 0.3."""
    import numpy as np

    from sde_seg_jax.selection.features import empty

    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((clusters, *shape), dtype=np.float32)
    features = empty((samples, *shape), np.float32)
    for start in range(0, samples, 1000):
        part = features[start : start + 1000]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= np.float32(0.3)
        part += centers[rng.integers(clusters, size=len(part))]
    return features


def measure(samples: int, options: dict) -> dict:
    """One run, in a process of its own."""
    from sde_seg_jax.selection import farthest_point

    features = clustered(samples, tuple(options["shape"]), options["clusters"], options["seed"])
    times, busy = [], []
    begin = time.perf_counter()
    picks = farthest_point.sample(
        features,
        [0],
        options["picks"],
        p=options["p"],
        patchwise=options["patchwise"],
        progress=lambda done: (times.append(time.perf_counter() - begin), busy.append(time.process_time())),
    )
    later = max(len(times) - 1, 1)
    return {
        "samples": samples,
        "picks": options["picks"],
        "dimensions": int(features[0].size),
        "seconds": round(times[-1], 3),
        "seconds_first_pick": round(times[0], 3),
        "seconds_per_pick": round((times[-1] - times[0]) / later, 6),
        "processor_seconds_per_pick": round((busy[-1] - busy[0]) / later, 6),
        "features_gb": round(features.nbytes / 1e9, 3),
        "peak_gb": round(peak_gb(), 3),
        "last_distance": float(picks.distances[-1]),
    }


def peak_gb() -> float:
    """Peak resident memory of this process."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=(3_000, 30_000, 300_000))
    parser.add_argument("--picks", type=int, default=100)
    parser.add_argument("--shape", type=int, nargs=3, default=(4, 8, 128), help="height width channels of the features")
    parser.add_argument("--clusters", type=int, default=500)
    parser.add_argument("--p", type=float, default=2.0, help="of the distance: 2 Euclidean, 1 absolute")
    parser.add_argument("--patchwise", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="a JSON file")
    options = vars(parser.parse_args())
    context = multiprocessing.get_context("spawn")
    runs = []
    for samples in options["samples"]:
        with context.Pool(1) as pool:
            runs.append(pool.apply(measure, (samples, options)))
    result = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "options": options, "runs": runs}
    text = json.dumps(result, indent=2)
    print(text)
    if options["output"]:
        pathlib.Path(options["output"]).write_text(text)


if __name__ == "__main__":
    main()
