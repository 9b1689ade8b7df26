"""Rows of the modern recipe (configs/modern.py, streets_modern.py): what they say, and a step of each at toy size."""

import pathlib

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from sde_seg_jax.experiment.build import build_training
from sde_seg_jax.experiment.cached_depth import streams_read
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import UsageError, as_json, load_config, load_module
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.source_data import domains, open_streams
from sde_seg_jax.training import sharding
from sde_seg_jax.training.checkpoints import Checkpoints

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODERN, STREETS = ROOT / "configs/modern.py", ROOT / "configs/streets_modern.py"
TABLES = {path: load_module(str(path)) for path in (MODERN, STREETS)}
COUNTS = {"train": 6, "val": 3}
ROWS = [(path, row) for path, table in TABLES.items() for row in table.ROWS]
SOME = [(STREETS, "vit_depthmix"), (STREETS, "convnext_unimatch"), (MODERN, "mtl_depthmix"), (MODERN, "ssda_depthmix")]
CASES = [pytest.param(*case, marks=pytest.mark.slow if case in SOME else pytest.mark.whole) for case in ROWS]


def name_of(x):
    return getattr(x, "stem", x)


def toy(path, row, folder):
    """The row on a few street scenes, with small networks and no downloads."""
    config = load_config(
        str(path), f"{row},size=toy,labels=3" if path == STREETS else f"{row},attention=xla,labels=100"
    )
    config.unlock()
    config.dataset = ConfigDict({"counts": COUNTS})
    size = config.data.crop if path == STREETS else (56, 112)
    prepared = {"prepared_dir": str(folder / f"prepared_{path.stem}"), "in_memory": True}
    config.data.update(dataset="street_scenes", batch_size=2, labels=3, label_file="", size=size, crop=size, **prepared)
    config.train.micro_batches = 1
    if "photometric" in config.losses and path == MODERN:
        config.data.scale = (1.0, 2.0)  # the crop is the whole image
    if path == MODERN:
        config.model.update(width=2, pose_width=8, pose_channels=8, dtype="float32")
        config.model.encoder_options.update(blocks=4, grid=2)
        config.model.decoder_options = ConfigDict({"features": 4, "reassembled": (4, 4, 4, 8), "hidden": 4})
        if row == "depth" or config.model.init == "":
            config.model.transfer = ()
    if "source_data" in config:
        source = {"prepared_dir": str(folder / "prepared_source"), "size": size}
        config.source_data.update(dataset="street_scenes", depth_cache="", **source)
        config.source_dataset = ConfigDict({"domain": "source", "counts": COUNTS})
    if config.data.depth_cache:  # a cache needs weights from elsewhere: the same network instead
        config.data.depth_cache = ""
        places = [key for key in ("depth_checkpoint", "source_depth_checkpoint") if key in config.task]
        stage = "modern_depth" if path == MODERN else f"depth_{row.partition('_')[0]}"
        config.task.update({key: f"@{stage}" for key in places})
    return resolve(config, folder)


def begin(config):
    check(config)
    data = open_streams(config)
    training, _ = build_training(config, data)
    batch = next(data.training(streams_read(config), config.seed, 0))
    return training, sharding.put(batch, sharding.make_mesh([1]))


@pytest.fixture(scope="module", autouse=True)
def fast_kernels():
    """What is compiled runs once: optimising it costs more than it brings."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
    jax.clear_caches()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where prepared scenes and the stages of rows lie; `prepared` makes what a row needs."""
    return tmp_path_factory.mktemp("modern")


def prepared(path, row, folder):
    """The toy row, with its scenes and the untrained depth network that it starts from."""
    config = toy(path, row, folder)
    for one in domains(config):
        prepare_data(one)
    begins = str(config.model.init) + str(config.task.get("depth_checkpoint", ""))
    for stage, where in TABLES[path].STAGES.items():
        if stage in begins and not (folder / stage).exists():
            network = toy(path, where.partition(":")[2], folder)
            prepare_data(network)
            training, _ = begin(network)
            checkpoints = Checkpoints(str(folder / stage))
            checkpoints.save(1, training.state, as_json(network))
            checkpoints.close()
    return config


@pytest.mark.parametrize(("path", "row"), CASES, ids=name_of)
def test_a_rows_step_fits_its_state(path, row, folder):
    training, batch = begin(prepared(path, row, folder))
    after, logs = jax.eval_shape(training.step, training.state, batch)
    kinds = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)  # noqa: E731
    assert kinds(after) == kinds(training.state)
    assert logs["loss"].shape == ()


@pytest.mark.parametrize(
    ("path", "row"),
    [(STREETS, "vit_unimatch"), *(pytest.param(MODERN, row, marks=pytest.mark.whole) for row in ("mtl", "depthmix"))],
    ids=name_of,
)
def test_a_row_makes_a_step(path, row, folder):
    training, batch = begin(prepared(path, row, folder))
    state, logs = jax.jit(training.step)(training.state, batch)
    assert all(np.isfinite(value).all() for value in jax.tree.leaves((logs, state.student)))
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), training.state.student.params, state.student.params)
    assert all(any(jax.tree.leaves(part)) for part in moved.values())  # every module learns
    if row == "mtl":  # without a teacher
        return
    trees = (x.params["encoder"] for x in (training.state.student, state.student, state.teacher))
    for old, new, teacher in zip(*map(jax.tree.leaves, trees), strict=True):
        np.testing.assert_allclose(teacher, (old + new) / 2, rtol=1e-5, atol=1e-7)  # at the first update


@pytest.mark.parametrize("encoder", ["small", "base"])
@pytest.mark.parametrize("labels", [186, 744])
def test_the_recipe_is_what_is_published_for_cityscapes(encoder, labels):
    config = load_config(str(MODERN), f"unimatch,encoder={encoder},labels={labels}")
    assert (config.task.mix, config.task.weighting, config.task.confidence) == ("cutmix", "pixel", 0.95)
    assert (config.task.views, config.task.complementary, config.task.teacher_decay) == (2, 0.5, 0.996)
    assert (config.task.divisor, config.task.consistency, config.losses.ohem.weight) == ("valid", 0.5, 0.5)
    assert (config.optim.learning_rate, config.optim.module_rates.encoder) == (2e-4, 5e-6)
    assert (config.data.crop, config.data.size, config.data.batch_size) == ((798, 798), (1024, 2048), 8)
    assert config.data.scale == (0.5, 2.0)
    part = config.data.batch_size // config.train.micro_batches
    assert config.losses.ohem.min_kept == part * 100_000  # published: 200000 of the two crops of each GPU
    assert config.train.steps == 180 * ((2975 - labels) // 8)
    assert config.model.encoder == {"small": "dinov2_vits14", "base": "dinov2_vitb14"}[encoder]


@pytest.mark.parametrize("memory", ["80", "24", "16"])
def test_memory_changes_remat_alone(memory):
    usual = load_config(str(MODERN), "depthmix").to_dict()
    config = load_config(str(MODERN), f"depthmix,memory={memory}")
    check(config)
    found = config.to_dict()
    for section, key in (("model", "remat"), ("train", "memory")):
        usual[section].pop(key), found[section].pop(key)
    assert found == usual


def test_rows_do_what_their_names_say():
    for row in TABLES[MODERN].ROWS:
        config, words = load_config(str(MODERN), row), row.split("_")
        assert ("photometric" in config.losses) == ("mtl" in words)
        assert bool(config.data.label_file) == ("selection" in words)
        assert ("source_data" in config) == ("ssda" in words)
        assert (config.data.depth_cache != "") == ("depthmix" in words and "video" not in words)
        assert ("pose" in config.optim.module_rates) == ("mtl" in words)  # as the networks have one


def test_misuse_of_an_option_is_one_line():
    with pytest.raises(UsageError, match="labels=2975: expected 1 to 2974"):
        load_config(str(MODERN), "unimatch,labels=2975")
    with pytest.raises(UsageError, match="selections list 744 images, for the seeds 42, 43, 44"):
        load_config(str(MODERN), "selection,seed=1")
    with pytest.raises(UsageError, match="has 480 training scenes"):
        load_config(str(STREETS), "vit_unimatch,labels=481")
