"""Pages of the guide from top to bottom that begin with a video of one's own."""

import json
import shlex
import shutil

import pytest
from pages_of_the_guide import ROOT, TOY, of_other_data
from PIL import Image

pytestmark = pytest.mark.whole
OWN = of_other_data(TOY) | {  # a clip of 14 frames
    "dataset.min_motion": "0.0",
    "dataset.val_fraction": "0.3",
    "model.pose_width": "8",
    "model.pose_channels": "8",
    "train.collapse_after": "1000000",
}
del OWN["data.labels"]
FEW = {"select.steps": "(2,3)", "select.student_steps": "(2,)"}
SMALL = ROOT / "tests" / "tiny" / "own.py"  # configs/folder.py


def test_which_frames_to_label(own_video, follow, place):
    changes = {name: value for name, value in OWN.items() if not name.startswith("model.pose")}
    pretrained = {"model.width": "32"}  # of the weights
    *_, exported = follow(
        "which_frames_to_label.md",
        {
            "folder:quick_depth": OWN | pretrained,
            "selection:ds_us,size=quick": changes | FEW,
            "selection:coreset,size=quick": changes | FEW | pretrained,
        },
        {"--export_count=50": "--export_count=3"},
    )
    assert len((place / "runs" / "coreset" / "labels.txt").read_text().split()) == 3
    assert len((place / "runs" / "select" / "labels.txt").read_text().split()) == 3
    assert {folder.name for folder in (place / "runs/select/export").iterdir()} == {"cvat", "label_studio", "folder"}
    assert "export" in exported


def test_your_own_video(own_video, add_labels, walk, give, place):
    rows = ("quick", "quick_depth", "quick_select")
    instead = {f"--config=folder:{row}": f"--config={SMALL}:{row}" for row in rows}
    instead["--export_count=50"] = "--export_count=3"
    page = walk("your_own_video.md", {flag.partition("=")[2]: {} for flag in instead.values()}, instead)
    mine = place / "runs" / "mine"

    looked = next(page)
    assert "folder: healthy" in looked.out
    learnt = next(page)
    assert "no labels yet" in learnt.out
    (printed,) = [line.strip() for line in learnt.out.splitlines() if "sde_seg_jax.cli.select" in line]
    chosen = [int(name.rpartition("/")[2]) for name in (mine / "quick_select" / "labels.txt").read_text().split()]
    assert len(chosen) == 3

    given = next(page)
    assert (mine / "quick_select" / "export" / "cvat").is_dir()
    _, _, command, *flags = shlex.split(printed)
    assert command == "sde_seg_jax.cli.select"
    own = ("--export", "--classes")
    assert {f for f in flags if not f.startswith(own)} == {f for f in given.flags if not f.startswith(own)}
    give("select", *(flag.replace("CLASSES.json", "classes.json") for flag in flags))
    assert {p.name for p in (mine / "quick_select" / "export").iterdir()} == {"cvat", "label_studio", "folder"}

    add_labels(chosen)
    again = give(learnt.name, *learnt.flags)
    assert "quick_depth: 2 steps are done" in again
    assert "no labels yet" not in again
    assert (mine / "report.html").stat().st_size > 0
    report = (mine / "report.html").read_text(encoding="utf-8")
    for row in ("quick_supervised", "quick_depthmix"):
        assert 0 <= json.loads((mine / row / "metrics.json").read_text())["miou"] <= 1
        assert row in report

    predicted = next(page)
    assert "14 image(s): classes, overlay in predictions" in predicted.out
    assert (place / "predictions" / "overlay.mp4").stat().st_size > 0
    with Image.open(place / "predictions" / "tour_000000_classes.png") as classes:
        assert classes.size == (64, 64)

    shutil.copytree(place / "my_videos", place / "more_videos")
    own = (mine / "quick_depthmix" / "metrics.json").read_text()
    scored = next(page)
    assert "mIoU" in scored.out
    other = json.loads((mine / "quick_depthmix" / "metrics_more_val.json").read_text())
    assert other["miou_images"] == len(chosen)
    assert (mine / "quick_depthmix" / "metrics.json").read_text() == own
    assert next(page, None) is None
