"""Classes that a person's own files bring reach networks, checkpoints, scores, pictures and reports."""

import json
import pathlib
import shutil
import sys

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import tree_folder

from sde_seg_jax.experiment import spaces
from sde_seg_jax.label_spaces import CITYSCAPES, LabelSpace

pytestmark = pytest.mark.slow

ROAD = [["road", 128, 64, 128], ["car", 0, 0, 142]]
SPACE = LabelSpace("folder", ("road", "car"), ((128, 64, 128), (0, 0, 142)))


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    root = tmp_path_factory.mktemp("own") / "raw"
    root.mkdir()
    tree_folder.write(root)
    return root


def config(**data):
    return ConfigDict({"data": {"dataset": "folder", **data}, "dataset": {}})


def test_a_data_set_with_classes_needs_no_files():
    assert spaces.space_of({"data": {"dataset": "street_scenes"}}) == CITYSCAPES


def test_noted_classes_come_first_then_prepared_data_then_raw_files(raw, tmp_path):
    assert spaces.space_of(config(classes=ROAD, raw_dir=str(tmp_path))) == SPACE
    assert spaces.space_of(config(prepared_dir=str(tmp_path), raw_dir=str(raw))) == SPACE
    assert spaces.space_of(config(prepared_dir=str(tmp_path))) is None
    assert spaces.class_count(config(raw_dir=str(tmp_path / "nowhere"))) == spaces.UNKNOWN


def test_a_checkpoint_alone_knows_its_classes(raw, tmp_path, tiny, command, refused):
    prepared, run = tmp_path / "prepared", tmp_path / "run"
    places = [f"--config.data.prepared_dir={prepared}", f"--config.data.raw_dir={raw}"]
    assert command("train", tiny("folder"), *places, f"--workdir={run}", "--config.train.steps=2")[0] == 0
    assert json.loads((run / "config.json").read_text())["data"]["classes"] == ROAD
    status, out, err = command("train", tiny("folder"), *places, f"--workdir={run}")  # goes on: classes are no change
    assert (status, "continuing at step 2" in out) == (0, True), err
    status, out, err = command("evaluate", f"--checkpoint={run}")
    assert status == 0, err
    assert {"iou/road", "iou/car"} <= json.loads(out.splitlines()[-1]).keys()

    shutil.move(prepared, tmp_path / "elsewhere")
    Image.fromarray(tree_folder.picture(0)).save(tmp_path / "a.png")
    arguments = [f"--checkpoint={run}", f"--input={tmp_path / 'a.png'}", f"--output={tmp_path / 'out'}"]
    assert command("predict", *arguments)[0] == 0
    with Image.open(tmp_path / "out" / "a_classes.png") as picture:
        assert np.asarray(picture).max() < 2
    assert command("report", f"--workdir={run}")[0] == 0
    assert "car" in (run / "report.html").read_text()

    other = tmp_path / "other"
    shutil.copytree(raw, other)
    (other / "classes.json").write_text(json.dumps(tree_folder.CLASSES[::-1]))
    places = [f"--config.data.prepared_dir={tmp_path / 'third'}", f"--config.data.raw_dir={other}"]
    assert command("prepare", tiny("folder"), *places)[0] == 0
    line = refused("evaluate", f"--checkpoint={run}", *places)
    assert "has the classes car, road, the network road, car; give the prepared_dir that it was trained with" in line


def test_segmentation_without_labels_is_refused_before_preparing(raw, tmp_path, tiny, refused):
    bare = tmp_path / "raw"
    shutil.copytree(raw / "rear", bare / "rear")
    places = [f"--config.data.prepared_dir={tmp_path / 'prepared'}", f"--config.data.raw_dir={bare}"]
    line = refused("train", tiny("folder"), *places, f"--workdir={tmp_path / 'run'}")
    assert "'folder' has no labels, which task 'supervised' needs; write labels/ and classes.json" in line
    assert not (tmp_path / "prepared").exists()
