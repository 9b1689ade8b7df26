"""One step of each kind of row of the paper's tables, and of the depth runs that they start from, at toy size.

Every kind is computed where all tests run; one of each table is only traced where slow tests run: shapes and types fit.
"""

import json
import pathlib

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from sde_seg_jax.experiment.build import build_training
from sde_seg_jax.experiment.cached_depth import streams_read
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import as_json, load_config, load_module
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.matching import open_matching
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.source_data import domains, open_streams
from sde_seg_jax.training import sharding
from sde_seg_jax.training.checkpoints import Checkpoints

ROOT = pathlib.Path(__file__).resolve().parents[2]
NO_TABLES = ("published", "select_images")
FILES = sorted(path for path in (ROOT / "configs/paper").glob("*.py") if path.stem not in NO_TABLES)
ROWS = [(path, row) for path in FILES for row in load_module(str(path)).ROWS]
ADAPTATION = ROOT / "configs/paper/ssda.py"
STAGES = load_module(str(ADAPTATION)).STAGES  # those of all tables, and of the source domains
WEIGHTS = ("source", "target", "intra_domain", "cross_domain")  # of the task: what has none is not computed
COUNTS = {"train": 6, "val": 3}


def name_of(x):
    return getattr(x, "stem", x)


def shrink(config, folder):
    """The row on street scenes of 64x64, with networks of a few thousand parameters and no downloads."""
    config.unlock()
    config.data.update(dataset="street_scenes", prepared_dir=str(folder / "prepared"), in_memory=True, batch_size=2)
    config.data.update(size=(64, 64), crop=(64, 64), labels=3, label_file="")
    config.data.update(train_split="train", video_split="train", val_split="val")
    config.data.unlabeled_split = "val" if config.data.unlabeled_split else ""
    config.dataset = ConfigDict({"counts": COUNTS})
    if "source_data" in config:
        config.source_data.update(dataset="street_scenes", prepared_dir=str(folder / "prepared_source"), size=(64, 64))
        config.source_dataset = ConfigDict({"domain": "source", "counts": COUNTS})
    config.model.update(encoder="resnet18", width=8, dilate=(False, False, False), decoder_channels=(4, 4, 4, 8, 8))
    config.model.update(aspp_rates=(1, 2), pose_width=8, pose_channels=8)
    config.sources = ConfigDict(dict.fromkeys(config.sources, str(folder / "imagenet")))
    return resolve(config, folder)


def kind(path, row):
    """What the compiled code of a row depends on, beside numbers: rows of one kind share a test."""
    config = as_json(load_config(str(path), row))
    task = {key: value for key, value in config["task"].items() if not isinstance(value, float)}
    parts = {key: bool(config["task"].get(key)) for key in WEIGHTS}
    heads = {key: value for key, value in config["model"].items() if key.startswith(("head", "side", "distillation"))}
    unlabeled = config["data"]["unlabeled_split"]
    return json.dumps([task, parts, heads, sorted(config["losses"]), unlabeled], sort_keys=True)


def start(path, row):
    """What a row starts from: its rules and the network that they fill."""
    config = load_config(str(path), row)
    return config.task.name, *config.model.transfer


KINDS = {kind(*case): case for case in reversed(ROWS)}
OF_EACH_FILE = {case[0]: case for case in KINDS.values()}
TRANSFERS = {start(*case): case for case in reversed(ROWS)}


@pytest.fixture(scope="module")
def fast_kernels():
    """Each operation compiles alone, so optimising it costs more than it brings."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
    jax.clear_caches()  # thousands of small operations


@pytest.fixture(scope="module")
def folder(tmp_path_factory, fast_kernels):
    """Toy stages: what rows start from, each made by one step of its own configuration."""
    return stages(tmp_path_factory.mktemp("stages"), one_step)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory, fast_kernels):
    """The same stages before their first step."""
    return stages(tmp_path_factory.mktemp("untrained"), traced_step)


def stages(folder, step):
    source = shrink(load_config(str(ROOT / "configs/sde_source.py")), folder)
    source.model.transfer = ()
    prepare_data(source)
    prepare_data(domains(shrink(load_config(str(ADAPTATION)), folder))[1])
    keep(source, folder / "imagenet", step)
    for name, stage in STAGES.items():
        path, _, row = stage.partition(":")
        config = load_config(str(ROOT / path), row)
        if "select" not in config:  # a list of images is no start of a row
            keep(shrink(config, folder), folder / name, step)
    return folder


def begin(config):
    check(config)
    data = open_streams(config)
    return data, *build_training(config, data)


def begin_with_batch(config):
    data, training, _ = begin(config)
    streams = streams_read(config)
    pairs = open_matching(config, data, streams)
    batch = next(data.training(streams, config.seed, 0, pairs and pairs.picks()))
    return training, sharding.put(batch, sharding.make_mesh([1]))


def traced_step(config):
    """(state before a step, shapes and types of what it returns)."""
    training, batch = begin_with_batch(config)
    return training.state, jax.eval_shape(training.step, training.state, batch)


def one_step(config):
    """One optimisation step, operation by operation: rows share the compiled operations."""
    training, batch = begin_with_batch(config)
    before = training.state
    state, logs = training.step(before, batch)
    assert all(np.isfinite(value).all() for value in jax.tree.leaves((logs, state.student)))
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), before.student.params, state.student.params)
    return state, moved


def keep(config, workdir, step):
    state, _ = step(config)
    checkpoints = Checkpoints(str(workdir))
    checkpoints.save(1, state, as_json(config))
    checkpoints.close()


@pytest.mark.slow
@pytest.mark.parametrize(("path", "row"), OF_EACH_FILE.values(), ids=name_of)
def test_a_rows_step_fits_its_state(path, row, untrained):
    before, (after, logs) = traced_step(shrink(load_config(str(path), row), untrained))
    kinds = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)  # noqa: E731
    assert kinds(after) == kinds(before)
    assert logs["loss"].shape == ()


@pytest.mark.whole
@pytest.mark.parametrize(("path", "row"), KINDS.values(), ids=name_of)
def test_a_row_makes_a_step(path, row, folder):
    state, moved = one_step(shrink(load_config(str(path), row), folder))
    assert int(state.step) == 1
    assert all(any(jax.tree.leaves(part)) for part in moved.values())  # every module learns


@pytest.mark.whole
@pytest.mark.parametrize(("path", "row"), TRANSFERS.values(), ids=name_of)
def test_a_row_starts_from_what_its_rules_name(path, row, folder):
    config = shrink(load_config(str(path), row), folder)
    _, _, table = begin(config)
    copied = {line["module"]: line["copied"] for line in table}
    assert all(copied[rule.split()[0]] > 0 for rule in config.model.transfer)


@pytest.mark.whole
def test_the_frozen_encoder_moves_its_statistics_only(folder):
    config = shrink(load_config(str(ROOT / "configs/sde_frozen.py")), folder)
    _, training, _ = begin(config)
    state, moved = one_step(config)
    assert not any(jax.tree.leaves(moved["encoder"]))
    assert any(jax.tree.leaves(moved["depth_decoder"]))
    before, after = (jax.tree.leaves(s.student.batch_stats["encoder"]) for s in (training.state, state))
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


@pytest.mark.whole
def test_the_second_phase_compares_with_the_imagenet_encoder(folder):
    config = shrink(load_config(str(ROOT / "configs/sde_feature_distance.py")), folder)
    config.sources.imagenet = str(folder / "sde_without_feature_distance")
    _, training, _ = begin(config)
    _, imagenet, _ = begin(shrink(load_config(str(ROOT / "configs/sde_frozen.py")), folder))
    frozen = jax.tree.leaves(training.state.frozen["imagenet"].params)
    assert len(frozen) == len(jax.tree.leaves(imagenet.state.student.params["encoder"]))
    started = jax.tree.leaves(training.state.student.params["encoder"])
    assert any((a != b).any() for a, b in zip(frozen, started, strict=True))
