"""One command for one's own frames: depth and a choice of frames while there are no labels, training once there are."""

import json
import pathlib
import shlex

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.street_scenes.clip import render_frame

pytestmark = pytest.mark.slow
OWN = pathlib.Path(__file__).resolve().parents[1] / "tiny" / "own.py"
SIZE, FRAMES = (64, 64), 14
FIRST = ("000", "003", "006", "009")  # frames that are labeled first


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A clip of a street, and its true labels beside: (raw folder, labels by frame)."""
    folder, labels = tmp_path_factory.mktemp("raw"), {}
    (folder / "drive").mkdir()
    for tick in range(FRAMES):
        image, label, *_ = render_frame("target", 0, 0, tick, SIZE)
        Image.fromarray(image).save(folder / "drive" / f"{tick:03d}.png")
        labels[f"{tick:03d}"] = np.where(label == 0, 0, 1).astype(np.uint8)  # road, and all else
    (folder / "camera.json").write_text(
        json.dumps({"fx": 60, "fy": 60, "cx": 31.5, "cy": 31.5, "width": 64, "height": 64})
    )
    return folder, labels


def add_labels(raw, names):
    """Puts the labels of these frames into the raw folder."""
    folder, labels = raw
    (folder / "labels" / "drive").mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(labels[name]).save(folder / "labels" / "drive" / f"{name}.png")


@pytest.fixture
def pipeline(raw, command, tmp_path_factory, monkeypatch):
    """pipeline() -> (exit status, stdout, stderr); data are prepared below the current folder, as for a person."""
    folder = raw[0].parent / "work"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    return lambda: command("pipeline", f"--config={OWN}:quick", f"--config.data.raw_dir={raw[0]}", "--workdir=runs")


def test_without_labels_it_learns_depth_and_chooses_and_with_labels_the_same_command_trains(raw, pipeline, command):
    status, out, err = pipeline()
    assert status == 0, err
    assert "folder: looked at" in out
    assert "stages: quick_depth (2 steps), quick_select (chooses frames)" in out
    assert f"of {FRAMES} frames: " in out
    runs = raw[0].parent / "work" / "runs"
    assert {p.name for p in runs.iterdir() if p.is_dir()} == {"quick_depth", "quick_select"}
    assert len((runs / "quick_select" / "labels.txt").read_text().split()) == 3
    assert "2 held-out frames" in json.loads((runs / "quick_depth" / "metrics.json").read_text())["verdict"]
    assert out.count("verdict: ") == 1
    assert "no labels yet" in out
    assert "cli.select" in out
    assert "--export=cvat,label_studio,folder" in out
    assert (runs / "report.html").is_file()

    ranked = [name.split("/")[1] for name in (runs / "quick_select" / "labels.txt").read_text().split()]
    first = {*FIRST, ranked[0]} - {ranked[-1]}
    add_labels(raw, first)
    classes = [{"name": "road", "id": 0}, {"name": "other", "id": 1}]
    (raw[0] / "classes.json").write_text(json.dumps(classes))
    status, out, err = pipeline()
    assert status == 0, err
    assert "stages: quick_depth (done), quick_supervised (2 steps), quick_depthmix (2 steps)" in out
    assert "quick_depth: 2 steps are done" in out
    assert "no labels yet" not in out
    for stage in ("quick_supervised", "quick_depthmix"):
        assert 0 <= json.loads((runs / stage / "metrics.json").read_text())["miou"] <= 1
        assert any(line.startswith(stage) and "mIoU" in line for line in out.splitlines())
    assert "more labels? The next best frames" in out
    (printed,) = [line.strip() for line in out.splitlines() if "sde_seg_jax.cli.select" in line]
    flags = shlex.split(printed)[3:]  # after python -m sde_seg_jax.cli.select
    status, out, err = command("select", *flags)
    assert status == 0, err
    (exported,) = (runs / "quick_select").glob("export_after_*")
    images = {path.stem for path in (exported / "folder").rglob("*.png")}
    assert ranked[-1] in images
    assert ranked[0] not in images

    before = (runs / "quick_depthmix" / "metrics.json").read_bytes()
    add_labels(raw, raw[1])
    status, out, err = pipeline()
    assert status == 0, err
    again = ("quick_supervised_2", "quick_depthmix_2")
    changed = f"has changed since quick_supervised ({len(first)} labels then, {FRAMES} now): now {', '.join(again)}"
    assert changed in out
    assert "stages: quick_depth (done), quick_supervised_2 (2 steps), quick_depthmix_2 (2 steps)" in out
    for stage in again:
        assert 0 <= json.loads((runs / stage / "metrics.json").read_text())["miou"] <= 1
        assert json.loads((runs / stage / "data.json").read_text())["raw"]["labels"]["count"] == FRAMES
        assert stage in (runs / "report.html").read_text()
    assert (runs / "quick_depthmix" / "metrics.json").read_bytes() == before
    status, out, err = pipeline()
    assert status == 0, err
    assert "stages: quick_depth (done), quick_supervised_2 (done), quick_depthmix_2 (done)" in out


def test_a_folder_that_is_not_there_is_named_before_any_work(command, tmp_path):
    status, _, err = command("pipeline", f"--config={OWN}:quick", f"--workdir={tmp_path}")
    assert status == 2
    assert "config.data.raw_dir='' is no folder: give --config.data.raw_dir=DIR" in err


def test_a_row_without_a_pipeline_says_what_to_do(command, tmp_path):
    status, _, err = command("pipeline", f"--config={OWN}:quick_depth", f"--workdir={tmp_path}")
    assert status == 2
    assert ":quick_depth has no pipeline section; leave out the row, or use cli.train" in err
