"""Every file of state in a small valid form, and what reads it: (path, uses). Nothing is trained.

A use whose name ends with `_slowly` takes some tenths of a second.
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
from tiny_scenes import SIZE, SPEC

from sde_seg_jax.data.inspecting.inspect_prepared import inspect_prepared
from sde_seg_jax.data.matching import geometry_index
from sde_seg_jax.data.preparing import target as targets_of
from sde_seg_jax.data.preparing.depth_cache_writer import CacheWriter
from sde_seg_jax.data.preparing.prepare import _plan, _recipe, prepare
from sde_seg_jax.data.preparing.unfinished import Facts, Unfinished, put_shard
from sde_seg_jax.data.reading import memory
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.stored.depth_cache import DepthCache, Place, encode
from sde_seg_jax.data.stored.finished import label_space, metadata
from sde_seg_jax.display.result_text import as_text
from sde_seg_jax.experiment import build, evaluated, report, scan, stages
from sde_seg_jax.experiment.begun import begun, refuse_other_config
from sde_seg_jax.experiment.config import as_json
from sde_seg_jax.experiment.doctor.text import cache_lines
from sde_seg_jax.experiment.prediction import done, metric
from sde_seg_jax.experiment.prediction.sources import Source
from sde_seg_jax.experiment.schedule import spell_out
from sde_seg_jax.experiment.selection import files as selection_files
from sde_seg_jax.experiment.selection import overlap, work
from sde_seg_jax.experiment.selection.select import finished
from sde_seg_jax.experiment.table import plan as table_plan
from sde_seg_jax.experiment.table import runs as table_runs
from sde_seg_jax.state_files import writing
from sde_seg_jax.training.checkpoints import Stored
from sde_seg_jax.training.log import Log, read_metrics

TESTS = pathlib.Path(__file__).resolve().parents[1]
ORIGIN = {"weights": "a" * 64, "checkpoint": "runs/depth", "step": 1400, "model": {"encoder": "resnet18"}}
LINES = [{"step": n, "loss": 1 / n, "val/miou": 0.1 * n, "val/abs_rel": None, "seconds": 2.0 * n} for n in (1, 2, 3, 4)]
SCORES = {
    **{"step": 4, "miou": 0.25, "pixel_accuracy": 0.5, "iou/road": 0.5, "iou/car": None, "teacher/miou": 0.3},
    **{"abs_rel": 0.2, "sq_rel": 1.5, "constant/abs_rel": 0.4, "a1": 0.8},
}


def tiny_config(row):
    """Of tests/tiny/config.py."""
    specification = importlib.util.spec_from_file_location("tiny_config", TESTS / "tiny" / "config.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.get_config(row)


def run_targets(folder):
    """A run of a table: config.json, metrics.jsonl, metrics.json, status.json and pictures."""
    config = tiny_config("supervised")
    item = table_runs.Item("run", "run", folder, config)
    writing.write_json(folder / "config.json", as_json(config))
    writing.write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in LINES))
    writing.write_json(folder / "status.json", {"commits": ["abc"], "failed": ""})
    evaluated.write_pictures(folder, {"segmentation": np.zeros((4, 6, 3), np.uint8)})
    writing.write_json(folder / "metrics.json", SCORES)

    def state():
        return table_runs.state(item), table_runs.seconds_left([item], [item])

    def table_slowly():
        result = table_runs.result_of(item, "run", 3, 42, "miou")
        shown = table_plan.ResultTable("t", [result])
        table_plan.write(shown, folder.parent / "table")
        return as_text(shown)

    def page_slowly():
        return report.write_report(str(folder))

    def summary():
        return report.summarize(folder)

    def go_on():
        refuse_other_config(as_json(config), folder)
        return spell_out(config, begun(folder), lambda line: None)

    def log():
        kept = (folder / "metrics.jsonl").read_bytes()
        found = Log(str(folder), 3)
        found.close()
        read_metrics(str(folder))
        (folder / "metrics.jsonl").write_bytes(kept)

    def headline():
        scores = evaluated.scores_in(folder, 4)
        return stages.headline({"run": scores} if scores else {})

    def note():
        table_runs.note_status(folder)

    picture = folder / "pictures" / "segmentation.png"
    return [
        (folder / "config.json", [go_on, summary, page_slowly]),
        (folder / "metrics.jsonl", [state, log, table_slowly, page_slowly]),
        (folder / "metrics.json", [state, headline, summary, table_slowly, page_slowly]),
        (folder / "status.json", [state, note, table_slowly]),
        (folder / "pictures" / "evaluated.json", [state]),
        (picture, [state, summary, page_slowly]),
    ]


def selection_targets(folder):
    """A selection: selection.csv, facts.json, a block of features, scores."""
    config = tiny_config("selection")
    rows = [selection_files.Chosen(n, f"s{n}", 5, "ds_us", 1.5 / n, 0.25, None if n < 3 else 0.1) for n in range(1, 6)]
    selection_files.write_chosen(folder, rows)
    selection_files.keep_facts(folder, {"samples": "6, digest abc", "teacher weights": "def"})
    writing.write_json(folder / "config.json", as_json(config))
    writing.write_array(folder / "scores.npy", np.zeros(6, np.float32))
    blocks = [folder / "features" / f"{n}.npy" for n in (0, 4)]
    for block, count in zip(blocks, (4, 2), strict=True):
        writing.write_array(block, np.zeros((count, 2, 3), np.float32))

    def lists():
        selection_files.read_chosen(folder)
        return finished(config, folder), overlap.read_lists([folder])

    return [
        (folder / "selection.csv", [lists]),
        (folder / "facts.json", [lambda: selection_files.keep_facts(folder, {"samples": "6, digest abc"})]),
        (folder / "config.json", [lambda: refuse_other_config(as_json(config), folder)]),
        (folder / "scores.npy", [lambda: work.scores_in(folder / "scores.npy", 6)]),
        (blocks[0], [lambda: scan.joined(blocks, 6)]),
        (blocks[1], [lambda: scan.joined(blocks, 6)]),
    ]


def prepared_targets(folder):
    """Prepared data, whole and not, and what lies beside them."""
    prepared = pathlib.Path(prepare(SPEC, prepared_dir=folder, size=SIZE, workers=1))
    writer = CacheWriter(Place(prepared, "depth", "train"), ORIGIN, 4)
    maps = np.random.default_rng(0).uniform(0, 1, (6, *SIZE)).astype(np.float32)
    writer.fill(encode(maps[i]) for i in writer.indices())
    names = open_source(SPEC, folder, "train").names
    facts = geometry_index.facts_of(names, SIZE, (2, 4), "log1", "w")
    index, samples = folder / "index.npz", folder / "samples.npz"
    geometry_index.save(geometry_index.build(iter(maps), facts, names), index)
    memory.save_npz(open_source(SPEC, folder, "val"), samples)
    cache = prepared / "disparity" / "depth" / "train" / "cache.json"

    def read():
        for split in ("train", "val"):
            source = open_source(SPEC, folder, split)
            for place in (0, len(source) - 1):
                source.read(place)
        return label_space(metadata(prepared))

    def doctor_slowly():
        found = inspect_prepared(SPEC, folder, workers=1, samples=2, shown=1)
        return cache_lines(found.caches), [problem for split in found.splits for problem in split.problems]

    def cached():
        found = DepthCache(prepared, "depth", "train")
        for place in range(6):
            found.read(place)
        return CacheWriter(Place(prepared, "depth", "train"), ORIGIN, 4).indices()

    return [
        (prepared / "metadata.json", [read, doctor_slowly]),
        (prepared / "features.json", [read, doctor_slowly]),
        (prepared / "dataset_info.json", [read, doctor_slowly]),
        (cache, [cached, doctor_slowly]),
        (index, [lambda: geometry_index.load(index, facts)]),
        (samples, [lambda: memory.load_npz(samples)]),
    ]


def unfinished_targets(folder):
    """The notes of data whose preparation was interrupted."""
    plan = _plan(SPEC, _recipe(SPEC, SIZE, None, None, {}), None, False, None)
    where = targets_of.open_target(folder, SPEC.name, SPEC.version)
    with where.writing():
        notes = Unfinished(plan, where)
        notes.begin()
        shard = notes.todo[0]
        where.staging(shard.file).write_bytes(b"records")
        facts = Facts(plan.space.num_classes)
        put_shard(where, shard, facts)
    parts = where.partial / "parts"
    return [(path, [lambda: Unfinished(plan, where)]) for path in sorted(parts.iterdir())]


def prediction_targets(folder):
    """The notes of an output of cli.predict."""
    path, image = folder / done.FILE, folder / "a.png"
    image.write_bytes(b"an image")
    head = {"settings": {"protocol": "whole 8x8"}, "depth": {"factor": 2.0, "told": "metres"}}
    source = Source(image, pathlib.Path(), "a")
    notes = done.Done(folder, head, resume=False)
    notes.note(source)
    notes.close()

    def resume():
        kept = path.read_bytes()
        before = done.head_of(folder).get("depth")
        notes = done.Done(folder, head, resume=True)
        notes.close()
        path.write_bytes(kept)
        return metric.Scale(before["factor"], before["told"]) if before else None, notes.has(source)

    return [(path, [resume])]


def checkpoint_targets(folder):
    """The configuration that a checkpoint carries; its file stands for what orbax keeps."""
    path = folder / "checkpoint.json"
    writing.write_json(path, as_json(tiny_config("depth")))

    def use():
        try:
            carried = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return  # orbax's own
        build.network_of(Stored(str(path), 4, carried, {}))

    return [(path, [use])]
