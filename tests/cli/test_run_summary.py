"""What the report tells of runs that were stopped, not evaluated, or stand on few images; in any order."""

import json

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.experiment import report, run_summary
from sde_seg_jax.experiment.config import as_json, load_config
from sde_seg_jax.reporter import Collected

CLASSES = [["road", 128, 64, 128], ["sky", 70, 130, 180]]
VALIDATION = {"val/miou": 0.41, "val/iou/road": 0.6, "val/iou/sky": None}


@pytest.fixture
def make(tmp_path, monkeypatch):
    """make(name, row, done=steps, lines=..., splits=...) -> a run's folder, as training leaves it."""
    steps, splits_of = {}, {}
    monkeypatch.setattr(run_summary, "steps_done", lambda folder: steps[folder.name])
    monkeypatch.setattr(report, "steps_done", lambda folder: steps[folder.name])
    monkeypatch.setattr(run_summary, "_prepared", lambda config: splits_of.get(config["name"], {}))

    def call(name, row="quick_supervised", done=1000, lines=(), splits=None, classes=CLASSES, scores=None):
        config = as_json(load_config("folder", row))
        config["name"], config["data"]["classes"] = name, classes
        folder = tmp_path / name
        (folder / "pictures").mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "pictures" / "segmentation.png")
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if scores is not None:
            (folder / "metrics.json").write_text(json.dumps(scores))
        steps[name], splits_of[name] = done, splits or {}
        return folder

    return call


def test_a_run_that_stopped_early_says_so(make):
    assert run_summary.summarize(make("whole")).notes == []
    (note,) = run_summary.summarize(make("cut", done=300)).notes
    assert note == "stopped early, after 300 of 1000 steps, or still training; the same command goes on"
    assert "nothing has been saved" in run_summary.summarize(make("begun", done=0)).notes[0]


def test_the_headlines_are_of_the_newest_round_of_labels(make):
    runs = {name: make(name) for name in ("quick_supervised", "quick_supervised_2", "other", "other_2")}
    for name, labels in (("quick_supervised", 8), ("quick_supervised_2", 16), ("other", 8), ("other_2", 8)):
        state = {"raw": {"labels": {"count": labels, "digest": str(labels)}}}
        (runs[name] / "data.json").write_text(json.dumps(state))
    found = {name: run_summary.summarize(folder) for name, folder in runs.items()}
    assert {name for name, run in found.items() if run.role == "baseline"} == {*runs} - {"quick_supervised"}
    (note,) = found["quick_supervised"].notes
    assert note.startswith("an earlier round: ")
    assert "quick_supervised_2" in note


def test_the_last_validation_of_training_counts_where_nothing_was_evaluated(make):
    lines = [{"step": 300, "val/miou": 0.2}, {"step": 600, **VALIDATION}, {"step": 1000, "loss": 0.1}]
    found = run_summary.summarize(make("run", lines=lines))
    assert found.final["miou"] == 0.41
    assert "training's own validation at step 600; cli.evaluate --checkpoint=" in found.notes[0]
    scored = run_summary.summarize(make("scored", lines=lines, scores={"step": 1000, "miou": 0.5}))
    assert scored.final["miou"] == 0.5
    assert scored.notes == []
    old = run_summary.summarize(make("old", scores={"step": 600, "miou": 0.5}))
    assert old.notes[0].startswith("scores are of step 600, it has trained to step 1000")


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (["a/1"], "validated on one image"),
        (["a/1", "a/2", "b/3"], "all 2 validation images are of one clip, 'a', and look alike"),
    ],
)
def test_little_to_validate_on_is_told(make, names, note):
    labeled = [name.startswith("a") for name in names]
    found = run_summary.summarize(make("run", splits={"val": {"names": names, "labeled": labeled}}))
    assert found.notes[0].startswith(note)


@pytest.mark.parametrize("labels", [[True, True], [False, True]])
def test_two_clips_or_names_without_clips_are_not(labels):
    assert run_summary.validation_notes({"names": ["a/1", "b/1"], "labeled": [True, True]}) == []
    assert run_summary.validation_notes({"names": ["x_1", "x_2"], "labeled": [True, True]}) == []


def test_labels_and_classes_do_not_depend_on_which_run_is_first(make, tmp_path):
    train = {"train": {"names": ["a/1", "a/2", "a/3"], "labeled": [True, False, True]}}
    make("depth", row="quick_depth", done=600, classes=[])
    make("labels", splits=train, lines=[{"step": 300, **VALIDATION}])
    text = report.write_report(str(tmp_path)).read_text()
    assert '<div class="value">2</div>' in text
    assert "of 3 training images (66.7%)" in text
    assert 'rgb(128,64,128)"></span>road</td><td class="n">60.0</td>' in text
    assert text.index("Line charts over training steps of val/miou") < text.index("Pictures: labels")
    assert "<li>labels: scores are those of training" in text


def test_a_verdict_stands_where_true_depth_would(make, tmp_path):
    video = {"video/explained": 0.92, "video/frames": 25, "video/error": 0.081}
    sentence = "depth explains the video better than no depth on 92% of 25 held-out frames"
    make("depth", row="quick_depth", done=600, classes=[], scores={"step": 600, **video, "verdict": sentence})
    text = report.write_report(str(tmp_path)).read_text()
    assert '<div class="card good"><div class="title">Depth explains the video, %</div>' in text
    assert f"<p>depth: {sentence}.</p>" in text
    assert '<td class="n">0.081</td>' in text


def test_pictures_that_cannot_be_drawn_are_no_reason_to_fail(make, tmp_path):
    folder = make("run", lines=[{"step": 300, **VALIDATION}])
    (folder / "pictures" / "segmentation.png").unlink()
    told = Collected()
    report.write_report(str(tmp_path), reporter=told)
    assert told.lines[0].startswith("no pictures of run: ")
