"""cli.train with a source domain, on tiny street scenes of both domains: what is refused, and what comes out."""

import json
import re
import shutil

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from sde_seg_jax.data.street_scenes.clip import render_sample
from sde_seg_jax.experiment.config import UsageError, load_config
from sde_seg_jax.experiment.train import train
from sde_seg_jax.training.checkpoints import read

pytestmark = pytest.mark.slow

SOURCE_SCENES = {"train": 6, "val": 3}


@pytest.fixture(scope="module")
def flags(runs, shared):
    """Depth networks and prepared data of a run; the network of the target serves the source, too."""
    return [
        f"--config.task.depth_checkpoint={runs / 'depth'}",
        f"--config.task.source_depth_checkpoint={runs / 'depth'}",
        f"--config.source_data.prepared_dir={shared / 'prepared_source'}",
    ]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--config.source_data.size=(32,64)",
            r"crop \(64, 64\) exceeds the source images \(32, 64\).*raise source_data.si",
        ),
        ("--config.source_data.dataset=gta4", "unknown data set 'gta4'"),
        ("--config.source_data.splitt=a", "unknown key 'config.source_data.splitt': did you mean 'split'"),
        ("--config.task.source_depth_checkpoint=", "set task.source_depth_checkpoint.*source_data.depth_cache"),
        ("--config.task.depth_checkpoint=", "set task.depth_checkpoint.*data.depth_cache"),
        ("--config.task.cross_mix=classes", "unknown task.cross_mix 'classes'; known: depth, class"),
        ("--config.task.margin_sign=both", "unknown task.margin_sign 'both'; known: random, fixed"),
        ("--config.matching.candidates=-1", "config.matching.candidates=-1: expected 1 or more, or 0"),
        ("--config.matching.cells=(8,)", r"config.matching.cells=\(8,\): expected \(rows, columns\)"),
        ("--config.data.scale=(1.0,2.0)", r"compares crops of images as they are stored: set data.scale=\(1.0, 1.0\)"),
        ("--config.matching.scale=log2", "matching.scale 'log2' is unknown; choose from"),
        ("--config.matching.cells=()", "at full resolution.*name its depth cache with data.depth_cache"),
        ("--config.task.cross_domain=0.0", "nothing is mixed across domains: set matching.candidates=0"),
        ("--config.data.dataset=camvid", "classes of source .cityscapes. and target .camvid. differ.*class_map"),
    ],
)
def test_before_any_work(refused, tiny, tmp_path, flags, flag, message):
    places = [f"--workdir={tmp_path / 'run'}", f"--config.data.prepared_dir={tmp_path / 'data'}"]
    line = refused("train", tiny("domain_adaptation"), *places, *flags, flag)
    assert re.search(message, line), line
    assert not any(tmp_path.iterdir())


def test_without_any_label_there_is_nothing_to_learn(refused, tiny, tmp_path, flags):
    zero = ("--config.task.source=0.0", "--config.task.target=0.0")
    line = refused("train", tiny("domain_adaptation"), f"--workdir={tmp_path / 'run'}", *flags, *zero)
    assert "task.source and task.target are both 0" in line


def test_the_task_needs_a_source_domain(tiny, tmp_path):
    config = load_config(tiny("domain_adaptation").partition("=")[2].partition(":")[0], "domain_adaptation")
    with config.unlocked():
        del config["source_data"]
    with pytest.raises(UsageError, match=r"name them in config\.source_data"):
        train(config, str(tmp_path / "run"))


@pytest.fixture(scope="module")
def trained(flags, finish, prepared, tiny, tmp_path_factory):
    """A run of four steps with everything on."""
    folder = tmp_path_factory.mktemp("adapted") / "run"
    pictures = ("--config.train.picture_every=2", "--config.eval.classes=(16, 13)")
    status, out, err = finish("train", tiny("domain_adaptation"), prepared, f"--workdir={folder}", *flags, *pictures)
    assert status == 0, err
    return folder, out


def test_a_run_logs_every_part_and_keeps_its_pictures(trained):
    folder, out = trained
    assert "matching: mean distance of the first pairs" in out
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    parts = ("cross_entropy", "source/cross_entropy", "agreement", "cross/agreement", "cross/pasted")
    assert all(np.isfinite(last[part]) for part in parts)
    for name in ("mixing", "cross_mixing", "matching", "prediction"):
        with Image.open(folder / "pictures" / f"training_{name}.png") as picture:
            assert picture.size[1] > 64


def test_the_geometry_of_both_domains_is_kept_beside_their_data(trained, shared):
    kept = [path for path in shared.glob("prepared*/street_scenes/*/geometry/train/log1-8x12-*.npz")]
    assert {path.parts[-6] for path in kept} == {"prepared", "prepared_source"}


def test_a_continued_run_equals_an_uninterrupted_one(trained, flags, finish, prepared, tiny, tmp_path):
    for steps in (2, 4):
        places = (prepared, f"--workdir={tmp_path / 'run'}", f"--config.train.steps={steps}")
        status, _, err = finish("train", tiny("domain_adaptation"), *places, *flags)
        assert status == 0, err
    for part in ("student", "teacher"):
        ours, theirs = (read(str(folder), part).parts[part] for folder in (tmp_path / "run", trained[0]))
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_evaluation_needs_no_source_data(trained, command, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    status, out, err = command("evaluate", f"--checkpoint={folder}", "--config.source_data.prepared_dir=/nowhere")
    assert status == 0, err
    found = json.loads(out.splitlines()[-1])
    assert 0 <= found["miou"] <= 1
    assert {"miou_16", "miou_13", "teacher/miou"} <= set(found)


@pytest.fixture
def own_images(tmp_path):
    """A person's images without labels, as the data set `folder` takes them."""
    for index in range(5):
        path = tmp_path / "raw" / "images" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(render_sample("target", seed=1, index=index, size=(64, 64))["image"]).save(path)
    return tmp_path / "raw"


@pytest.fixture
def unlabeled_config(tiny, own_images, shared, tmp_path):
    """ClassMix from labeled street scenes to those images."""
    config = load_config(tiny("domain_adaptation").partition("=")[2].partition(":")[0], "domain_adaptation")
    config.data.dataset, config.data.raw_dir = "folder", str(own_images)
    config.data.prepared_dir = str(tmp_path / "prepared")
    config.data.labels = 0
    config.dataset = ConfigDict({"val_fraction": 0.3})
    config.source_data.prepared_dir = str(shared / "prepared_source")
    config.source_dataset = ConfigDict({"domain": "source", "counts": SOURCE_SCENES})
    config.task.cross_mix, config.task.intra_domain, config.matching.candidates = "class", 0.0, 0
    config.task.depth_checkpoint = config.task.source_depth_checkpoint = ""
    config.train.steps = 1
    return config


def test_images_without_any_label_take_the_classes_of_the_source(unlabeled_config, trained, tmp_path):
    unlabeled_config.task.target = 0.0
    train(unlabeled_config, str(tmp_path / "run"))
    assert len(read(str(tmp_path / "run")).config["data"]["classes"]) == 19


def test_a_target_without_labels_names_the_remedy(unlabeled_config, trained, tmp_path):
    with pytest.raises(ValueError, match=r"no labels.*config\.task\.target=0"):
        train(unlabeled_config, str(tmp_path / "run"))
