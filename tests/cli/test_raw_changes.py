"""A raw folder that has changed since data were prepared from it: told where it matters, and what is there stays."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

OWN = pathlib.Path(__file__).resolve().parents[1] / "tiny" / "own.py"
LABELED = range(0, 12, 3)


@pytest.fixture
def raw(tmp_path):
    """A clip of twelve frames, four of them labelled."""
    folder = tmp_path / "raw"
    for place in ("drive", "labels/drive"):
        (folder / place).mkdir(parents=True)
    values = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), np.uint8)
    for number, image in enumerate(values):
        Image.fromarray(image).save(folder / "drive" / f"{number:03d}.png")
    for number in LABELED:
        add_label(folder, number)
    (folder / "classes.json").write_text(json.dumps([{"name": "road", "id": 0}, {"name": "other", "id": 1}]))
    (folder / "camera.json").write_text(json.dumps({"field_of_view": 60}))
    return folder


def add_label(raw, number):
    Image.fromarray(np.eye(64, dtype=np.uint8)).save(raw / "labels" / "drive" / f"{number:03d}.png")


@pytest.fixture
def prepare(raw, command, tmp_path):
    """prepare(row) -> lines of a preparation into a folder of the row's own."""

    def call(row):
        flags = [f"--config.data.raw_dir={raw}", f"--config.data.prepared_dir={tmp_path / row}"]
        status, out, err = command("prepare", f"--config={OWN}:{row}", *flags)
        assert status == 0, err
        return [line for line in out.splitlines() if line.startswith("warning")]

    return call


def test_new_labels_are_told_to_who_reads_them(raw, prepare):
    assert prepare("quick_supervised") == []
    assert prepare("quick_depth") == []
    assert prepare("quick_supervised") == []
    add_label(raw, 1)
    (said,) = prepare("quick_supervised")
    assert f"was made of other files than '{raw}' has now (4 labels then, 5 now), and is used as it is" in said
    assert "choose another --config.data.prepared_dir and --workdir" in said
    assert prepare("quick_depth") == []


def test_new_frames_are_told_to_all(raw, prepare):
    prepare("quick_depth")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(raw / "drive" / "012.png")
    (said,) = prepare("quick_depth")
    assert "(12 images and videos then, 13 now)" in said


def test_data_that_were_prepared_before_this_was_recorded_say_nothing(raw, prepare, tmp_path):
    prepare("quick_supervised")
    (path,) = (tmp_path / "quick_supervised").rglob("metadata.json")
    facts = json.loads(path.read_text())
    del facts["raw"]
    path.write_text(json.dumps(facts))
    add_label(raw, 1)
    assert prepare("quick_supervised") == []
