"""What Matching Geometry Sampling costs: one match, against reading one more image, and in the whole input pipeline.

    python benchmarks/matching.py --data prepared/street_scenes/1.0.0 --output matching.json
    python benchmarks/matching.py                           # renders 24 street scenes first (a minute)

1. Microseconds of one match, by the number of candidates and of samples in the index (random cells: time does not
   depend on what they hold), one thread; and of reading one random 512x512 crop of a prepared image, alone and with its
   label, in turns with it.
2. The three streams of domain adaptation (labeled and source with labels, unlabeled without) as training reads them,
   with and without matching, in turns: images a second, and per second of processor time. Candidates are drawn from the
   largest index; its samples stand for the few of the prepared set, again and again.
3. Where the prepared set has true depth: the mean distance at full resolution (the published criterion) between target
   crops, from every second sample, and source crops, from the others: random ones, the best of 5, the best of all
   candidates, and those of all candidates that the index chooses.

Printed are medians over the rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from contenders import BATCH, opened

from sde_seg_jax.data.matching import geometry_index
from sde_seg_jax.data.matching.geometry_distance import distances, row_weights
from sde_seg_jax.data.matching.geometry_maps import Crops, GeometryMaps
from sde_seg_jax.data.matching.matching import BOTTOM, TOP, Matching
from sde_seg_jax.data.reading import augment, order, pipeline
from sde_seg_jax.data.reading.picks import Pick, PlainPicks

SAMPLES = (480, 3_000, 25_000)  # street scenes, Cityscapes, GTA5
CANDIDATES = (5, 64, 256, 1024)
TARGETS = 2_975
STREAMS = {"labeled": ("label",), "unlabeled": (), "source": ("label",)}
LABELS = (None, "label")  # what is read besides the image


def random_index(count: int, size) -> geometry_index.GeometryIndex:
    """An index of made-up samples."""
    cells = np.random.default_rng(count).random((count, *geometry_index.CELLS), np.float32).astype(np.float16)
    facts = geometry_index.facts_of([str(i) for i in range(count)], size, geometry_index.CELLS, "log1", "")
    return geometry_index.GeometryIndex(cells, tuple(size), facts)


def matchings(size, crop) -> dict[tuple[int, int], Matching]:
    """By samples of the source and candidates."""
    target, shown = PlainPicks(0, range(TARGETS), size, crop), random_index(TARGETS, size)
    result = {}
    for count in SAMPLES:
        source, index = PlainPicks(1, np.arange(count), size, crop), random_index(count, size)
        result |= {(count, n): Matching(target, source, shown, index, candidates=n) for n in CANDIDATES}
    return result


def alone(source, found: dict[tuple[int, int], Matching], crop, rounds: int, repeats: int) -> dict[str, float]:
    """Microseconds of one match, and of reading one crop."""
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        positions = range(turn * repeats, (turn + 1) * repeats)
        for (count, candidates), matching in found.items():
            matching.source(10**6 + turn)  # whatever the caches of the processor hold belongs to another
            begin = time.perf_counter()
            for position in positions:
                matching.source(position)
            name = f"match among {candidates} of {count}"
            times.setdefault(name, []).append((time.perf_counter() - begin) / repeats)
        for label in LABELS:
            begin = time.perf_counter()
            for position in positions:
                window = augment.draw(order.rng_at(0, position), source.size, crop, 0.5).window
                source.read(position % len(source), (label,) if label else (), window)
            name = f"read an image{' and its label' if label else ''}"
            times.setdefault(name, []).append((time.perf_counter() - begin) / repeats)
    return {name: 1e6 * statistics.median(values) for name, values in times.items()}


def streams(source, matching: Matching | None, crop, threads: int):
    """Yields how many images a batch of the three streams has, without end."""

    def folded(pick):
        def at(position: int) -> Pick:
            found = pick(position)
            return dataclasses.replace(found, index=found.index % len(source))

        return at

    picks = {"unlabeled": folded(matching.target), "source": folded(matching.source)} if matching else {}
    read = [
        pipeline.batches(
            source, seed=seed, batch_size=BATCH, crop=crop, fields=fields, threads=threads, pick=picks.get(name)
        )
        for seed, (name, fields) in enumerate(STREAMS.items())
    ]
    while True:
        yield sum(len(next(batches).image) for batches in read)


def pipelines(source, matching: Matching, crop, seconds: float, rounds: int, threads: int) -> dict[str, list[dict]]:
    """Images a second of the streams without and with matching, a round after the other."""
    running = {
        "without matching": streams(source, None, crop, threads),
        "with matching": streams(source, matching, crop, threads),
    }
    found: dict[str, list[dict]] = {name: [] for name in running}
    for turn in range(rounds + 1):
        for name in running if turn % 2 else reversed(running):
            for _ in range(6):
                next(running[name])  # what was read ahead while resting does not count
            begin, busy, count = time.perf_counter(), time.process_time(), 0
            while time.perf_counter() - begin < seconds:
                count += next(running[name])
            wall, core = time.perf_counter() - begin, time.process_time() - busy
            if turn:  # the first one warms up
                found[name].append({"wall": count / wall, "core": count / core})
    return found


def nearness(source, crop, candidates: int, positions: int) -> dict[str, float]:
    """Mean distance of pairs at full resolution, by how they were chosen."""
    depths = [source.read(index, ("depth",))["depth"] for index in range(len(source))]
    known = [np.isfinite(depth) & (depth > 0) for depth in depths]
    maps = [np.where(there, 1 / np.maximum(depth, 1e-3), 0) for there, depth in zip(known, depths, strict=True)]
    facts = geometry_index.facts_of(source.names, source.size, geometry_index.CELLS, "log1", "")
    full = GeometryMaps(maps.__getitem__, source.names, source.size)
    index = geometry_index.build(maps, facts, source.names)
    plain = [PlainPicks(side, range(side, len(source), 2), source.size, crop) for side in (0, 1)]
    exact = {count: Matching(*plain, full, full, candidates=count) for count in (5, candidates)}
    found = {count: [matching.match(position) for position in range(positions)] for count, matching in exact.items()}
    chosen = Matching(*plain, index, index, candidates=candidates)
    weights = row_weights(crop[0], crop[0] * TOP, crop[0] * BOTTOM)
    by_index = []
    for position in range(positions):
        pair = [full.crops(Crops.of(pick(position)), crop) for pick in (chosen.target, chosen.source)]
        by_index.append(distances(pair[0][0], pair[1], weights)[0])
    return {
        "random": statistics.mean(match.expected for match in found[candidates]),
        "best of 5": statistics.mean(match.distance for match in found[5]),
        f"best of {candidates}": statistics.mean(match.distance for match in found[candidates]),
        f"best of {candidates} by the index": float(np.mean(by_index)),
    }


def show(times: dict[str, float], found: dict[str, list[dict]], candidates: int) -> dict:
    """Prints the times; returns the medians of the pipelines."""
    read = times["read an image"]
    print(f"\n{'':36} microseconds   x reading an image")
    for name, value in times.items():
        print(f"{name:36} {value:12.0f}   {value / read:18.2f}")
    medians = {
        name: {unit: statistics.median(result[unit] for result in results) for unit in ("wall", "core")}
        for name, results in found.items()
    }
    print(f"\n{candidates} candidates of {max(SAMPLES):<24} images/s   per core")
    for name, result in medians.items():
        print(f"{name:36} {result['wall']:10.0f}   {result['core']:8.0f}")
    plain, matched = medians.values()
    print(f"{'ratio':36} {matched['wall'] / plain['wall']:10.3f}   {matched['core'] / plain['core']:8.3f}")
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a prepared folder, <prepared_dir>/<name>/<version>, with labels")
    parser.add_argument("--split", default="train")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), help="height width of the rendered scenes")
    parser.add_argument("--crop", type=int, nargs=2, default=(512, 512), help="height width")
    parser.add_argument("--candidates", type=int, choices=CANDIDATES, default=256, help="in the pipeline")
    parser.add_argument("--repeats", type=int, default=50, help="matches, and images, of a measurement")
    parser.add_argument("--seconds", type=float, default=4, help="of a measurement of the pipeline")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2, help="of each stream")
    parser.add_argument("--pairs", type=int, default=24, help="pairs whose distances are measured")
    parser.add_argument("--output", help="a JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.data
        if folder is None:
            from sde_seg_jax.data.preparing.prepare import prepare

            size, counts = tuple(options.size), {"train": 24}
            made = prepare("street_scenes", prepared_dir=temporary, size=size, splits=("train",), counts=counts)
            folder = str(made)
        source, crop = opened(folder, options.split), tuple(options.crop)
        found = matchings(source.size, crop)
        times = alone(source, found, crop, options.rounds, options.repeats)
        matching = found[max(SAMPLES), options.candidates]
        rounds = pipelines(source, matching, crop, options.seconds, options.rounds, options.threads)
        near = nearness(source, crop, options.candidates, options.pairs) if "depth" in source.fields else {}
    medians = show(times, rounds, options.candidates)
    for name, value in near.items():
        print(f"mean distance of pairs, {name:28} {value:.4f}")
    if options.output:
        facts = {"cores": os.cpu_count(), "options": vars(options), "microseconds": times, "pipelines": medians}
        facts["distances"] = near
        pathlib.Path(options.output).write_text(json.dumps(facts | {"rounds": rounds}, indent=2))


if __name__ == "__main__":
    main()
