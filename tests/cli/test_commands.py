"""pipeline, evaluate, predict and report on what a tiny pipeline has trained."""

import json
import shutil

import cv2
import numpy as np
import pytest

from sde_seg_jax.experiment.evaluate import evaluate
from sde_seg_jax.training.log import read_metrics


@pytest.mark.parametrize("name", ["pipeline", "prepare", "train", "evaluate", "predict", "report"])
def test_every_command_explains_itself(command, name):
    status, out, _ = command(name, "--help")
    assert status == 0
    assert f"python -m sde_seg_jax.cli.{name}" in out
    assert "--config" in out


def test_pipeline_trains_evaluates_and_reports_every_stage(runs, shared):
    for stage in ("depth", "semi_supervised"):
        assert {"config.json", "metrics.jsonl", "metrics.json", "checkpoints", "pictures"} <= {
            path.name for path in (runs / stage).iterdir()
        }
    out = (shared / "pipeline.out").read_text().splitlines()
    assert out[-1] == f"report: {runs / 'report.html'}"
    assert any(line.startswith("depth") and "AbsRel" in line and "best constant depth" in line for line in out)
    assert any(line.startswith("semi_supervised") and "mIoU" in line for line in out)
    page = (runs / "report.html").read_text()
    assert "<img" in page
    assert "http://" not in page.replace("http://www.w3.org", "")  # self-contained


def test_the_report_of_the_transfer_counts_copied_and_fresh_parameters(shared, runs):
    out = (shared / "pipeline.out").read_text()
    assert "segmentation/decoder  depth_decoder from model.init  copied" in out


def test_pipeline_skips_what_is_done(runs, prepared, tiny, command):
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/checkpoints/*")}
    status, out, _ = command("pipeline", tiny("").rstrip(":"), prepared, f"--workdir={runs}")
    assert status == 0
    assert "semi_supervised: 4 steps are done" in out
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*/checkpoints/*")} == before


def test_pipeline_refuses_a_folder_begun_with_another_configuration(runs, prepared, tiny, refused):
    line = refused("pipeline", tiny("").rstrip(":"), prepared, f"--workdir={runs}", "--config.seed=7")
    assert "config.seed differs" in line
    assert "choose another --workdir" in line


def test_metrics_lines_tell_losses_speed_and_rates(runs):
    lines = read_metrics(str(runs / "semi_supervised"))
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    wanted = {"loss", "agreement", "confident", "cross_entropy", "images_per_second", "seconds"}
    for line in lines:
        assert wanted | {"learning_rate/default", "learning_rate/encoder"} <= line.keys()
    assert {"photometric", "smoothness", "disparity_spread"} <= read_metrics(str(runs / "depth"))[0].keys()


def test_evaluate_prints_one_json_line_last_and_writes_it(runs, command, tmp_path):
    status, out, _ = command("evaluate", f"--checkpoint={runs / 'semi_supervised'}", f"--workdir={tmp_path}")
    assert status == 0
    scores = json.loads(out.splitlines()[-1])
    assert scores == json.loads((tmp_path / "metrics.json").read_text())
    assert scores["step"] == 4
    assert {"miou", "pixel_accuracy", "teacher/miou"} <= scores.keys()
    assert (tmp_path / "pictures" / "segmentation.png").is_file()


def test_depth_is_scored_with_and_without_median_scaling_beside_the_best_constant(runs, tmp_path):
    scores = json.loads((runs / "depth" / "metrics.json").read_text())
    names = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")
    assert set(names) <= scores.keys()
    assert "constant/abs_rel" in scores
    assert sum(key.endswith("abs_rel") for key in scores) >= 3


def test_a_checkpoint_says_the_same_wherever_it_lies(runs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(runs / "semi_supervised" / "checkpoints", moved)  # nothing but the checkpoint
    first = json.loads((runs / "semi_supervised" / "metrics.json").read_text())
    for path in (moved, runs / "semi_supervised" / "checkpoints"):
        again = evaluate(str(path), str(tmp_path / "out"))
        # the process that scored first had one device, this one has two; the mean IoU counts pixels
        assert again.keys() == first.keys()
        assert again["miou"] == pytest.approx(first["miou"], abs=1e-3)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(folder / name), rng.integers(0, 256, (50, 70, 3), np.uint8))
    return folder


KINDS = ("classes", "overlay", "depth", "depth_color")
BESIDE = {"classes.json", "legend.png", "predictions.jsonl"}


def predict(command, runs, source, output):
    return command(
        "predict",
        f"--checkpoint={runs / 'semi_supervised'}",
        f"--depth_checkpoint={runs / 'depth'}",
        f"--input={source}",
        f"--output={output}",
    )


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_predict_writes_every_kind_at_the_images_size(runs, photos, command, tmp_path, names):
    source = photos / "a.png" if len(names) == 1 else photos
    status, _, err = predict(command, runs, source, tmp_path / "out")
    assert status == 0, err
    found = {p.name for p in (tmp_path / "out").iterdir()}
    assert found == {f"{n}_{k}.png" for n in names for k in KINDS} | BESIDE
    read = {k: cv2.imread(str(tmp_path / "out" / f"a_{k}.png"), cv2.IMREAD_UNCHANGED) for k in KINDS}
    assert {k: (v.shape, v.dtype.name) for k, v in read.items()} == {
        "classes": ((50, 70), "uint8"),
        "overlay": ((50, 70, 3), "uint8"),
        "depth": ((50, 70), "uint16"),
        "depth_color": ((50, 70, 3), "uint8"),
    }
    assert read["classes"].max() < 19


def test_predict_writes_every_frame_of_a_video_and_videos(runs, command, tmp_path):
    path = str(tmp_path / "drive.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (80, 48))
    for value in range(3):
        writer.write(np.full((48, 80, 3), 60 * value, np.uint8))
    writer.release()
    status, _, err = predict(command, runs, path, tmp_path / "out")
    assert status == 0, err
    found = {p.name for p in (tmp_path / "out").iterdir()}
    frames = {f"drive_{i:06d}_{k}.png" for i in range(3) for k in KINDS}
    assert found == frames | {"overlay.mp4", "depth.mp4"} | BESIDE
    video = cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (3, 10)
    video.release()


def test_report_of_one_run_is_one_page(runs, command, tmp_path):
    shutil.copytree(runs / "depth", tmp_path / "depth")
    status, out, _ = command("report", f"--workdir={tmp_path / 'depth'}")
    assert status == 0
    assert (tmp_path / "depth" / "report.html").is_file()
    assert "report.html" in out
