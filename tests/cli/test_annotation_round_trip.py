"""Frames exported to a tool, labeled there and put into labels/: the exact ids, at the exact frames."""

import io
import json
import pathlib
import shutil
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import tree_folder

from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.experiment.annotation import tasks as annotation_tasks
from sde_seg_jax.experiment.annotation.classes import class_list
from sde_seg_jax.experiment.annotation.folder import Task
from sde_seg_jax.experiment.annotation.tasks import Choice
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.types import IGNORE

TINY = str(pathlib.Path(__file__).resolve().parents[1] / "tiny" / "config.py")
NAMES = ("tour/000001", "front/straße/frame8", "rear/frame8")  # none of them is labeled in the tree
SPLITS = ("train", "val")
TOOLS = ("cvat", "label_studio", "folder")


class Painter:
    """Stands in for a model: two classes in random places, and pixels that are nobody's."""

    def __init__(self):
        self.drawn = []

    def predict(self, image):
        label = np.random.default_rng(len(self.drawn)).choice(np.array([0, 1, IGNORE], np.uint8), image.shape[:2])
        self.drawn.append(label)
        return Prediction(image, stored_classes=label)


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "raw").mkdir()
    tree_folder.write(tmp_path / "raw")
    return tmp_path / "raw"


def configure(raw, prepared):
    config = load_config(TINY, "folder")
    config.data.size = tree_folder.SHAPE
    config.data.raw_dir, config.data.prepared_dir = str(raw), str(prepared)
    with config.unlocked():
        config.dataset.min_motion = 0.0
    return config


def exported(config, output, tool, monkeypatch, classes=""):
    """The folder of an export with first labels, and these."""
    painter = Painter()
    monkeypatch.setattr(annotation_tasks, "open_task", lambda *_: Task(class_list(config, None, classes), painter, 1))
    choices = [Choice(rank, name, "") for rank, name in enumerate(NAMES, 1)]
    (folder,) = annotation_tasks.export(config, choices, output, [tool], classes=classes)
    return folder, dict(zip(NAMES, painter.drawn, strict=True))


def accepted(folder, tool, labels):
    """What a tool writes when a person finds nothing to correct, put into labels/."""
    labels.mkdir(exist_ok=True)
    if tool == "folder":
        shutil.copytree(folder, labels / "round 1")
    elif tool == "cvat":  # the same format goes in and out: "CVAT for images 1.1"
        shutil.copy(folder / "annotations.zip", labels / "round 1.zip")
    else:
        tasks = json.loads((folder / "tasks.json").read_text())
        for number, task in enumerate(tasks, 1):
            results = task.pop("predictions")[0]["result"]
            task |= {"id": number, "annotations": [{"id": number, "result": results, "was_cancelled": False}]}
        (labels / "project-1.json").write_text(json.dumps(tasks))


def prepared_labels(config):
    """Sample name -> label, of all that are labeled."""
    prepare_data(config, SPLITS, workers=1)
    found = {}
    for split in SPLITS:
        source = open_source("folder", config.data.prepared_dir, split)
        for index in np.flatnonzero(source.labeled):
            found[source.names[index]] = source.read(int(index), ("label",))["label"]
    return found


@pytest.mark.parametrize("tool", TOOLS)
def test_first_labels_that_a_person_accepts_come_back(raw, tmp_path, tool, monkeypatch):
    shutil.rmtree(raw / "labels")
    (raw / "classes.json").rename(tmp_path / "classes.json")
    config = configure(raw, tmp_path / "unlabeled")
    prepare_data(config, SPLITS, workers=1)
    folder, drawn = exported(config, tmp_path / "out", tool, monkeypatch, str(tmp_path / "classes.json"))
    accepted(folder, tool, raw / "labels")
    shutil.copy(folder / "classes.json", raw)
    found = prepared_labels(configure(raw, tmp_path / "prepared"))
    assert set(found) == set(NAMES)
    for name, label in drawn.items():
        np.testing.assert_array_equal(found[name], label)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_second_round_joins_the_labels_of_the_first(raw, tmp_path, tool, monkeypatch):
    before = prepared_labels(configure(raw, tmp_path / "first"))
    folder, drawn = exported(configure(raw, tmp_path / "first"), tmp_path / "out", tool, monkeypatch)
    accepted(folder, tool, raw / "labels")
    after = prepared_labels(configure(raw, tmp_path / "second"))
    assert set(after) == {*before, *NAMES}
    for name, label in (before | drawn).items():
        np.testing.assert_array_equal(after[name], label)


def test_masks_painted_in_cvat_come_back(raw, tmp_path, monkeypatch):
    config = configure(raw, tmp_path / "first")
    prepare_data(config, SPLITS, workers=1)
    folder, drawn = exported(config, tmp_path / "out", "cvat", monkeypatch)
    colors = {
        label["name"]: bytes.fromhex(label["color"][1:]) for label in json.loads((folder / "labels.json").read_text())
    }
    listed = [("background", bytes(3)), *colors.items()]
    table = np.zeros((256, 3), np.uint8)
    table[[0, 1]] = [list(colors["road"]), list(colors["car"])]
    with zipfile.ZipFile(folder / "images.zip") as images, zipfile.ZipFile(raw / "labels" / "task.zip", "w") as masks:
        masks.writestr("labelmap.txt", "".join(f"{name}:{','.join(map(str, color))}::\n" for name, color in listed))
        for image in images.namelist():  # "Segmentation mask 1.1": the names of the images
            data, name = io.BytesIO(), str(pathlib.PurePosixPath(image).with_suffix(""))
            Image.fromarray(table[drawn[name]]).save(data, "PNG")
            masks.writestr(f"SegmentationClass/{name}.png", data.getvalue())
    found = prepared_labels(configure(raw, tmp_path / "second"))
    for name, label in drawn.items():
        np.testing.assert_array_equal(found[name], label)


def test_an_export_of_files_is_a_raw_folder_itself(raw, tmp_path, monkeypatch):
    config = configure(raw, tmp_path / "first")
    prepare_data(config, SPLITS, workers=1)
    folder, drawn = exported(config, tmp_path / "out", "folder", monkeypatch)
    config = configure(folder, tmp_path / "second")
    config.dataset.val_fraction = 0.5
    found = prepared_labels(config)
    assert {name.removeprefix("images/") for name in found} == set(NAMES)
    for name, label in found.items():
        np.testing.assert_array_equal(label, drawn[name.removeprefix("images/")])
