"""cli.evaluate under other protocols, and what it tells of calibration; with the tiny pipeline's networks."""

import json
import pathlib
import sys
import types

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import tree_camvid

from sde_seg_jax.evaluation.protocols.protocol import Protocol
from sde_seg_jax.experiment import scoring
from sde_seg_jax.experiment.build import load_trained
from sde_seg_jax.experiment.config import load_config, override
from sde_seg_jax.experiment.evaluate import evaluate
from sde_seg_jax.experiment.prediction.model import load
from sde_seg_jax.experiment.scoring import Asked, at_resolution

TINY = str(pathlib.Path(__file__).resolve().parents[1] / "tiny" / "config.py")


@pytest.fixture(scope="module")
def published(runs, tmp_path_factory):
    return evaluate(str(runs / "semi_supervised"), str(tmp_path_factory.mktemp("published")))


def scored(command, runs, workdir, *flags):
    status, out, err = command("evaluate", f"--checkpoint={runs / 'semi_supervised'}", f"--workdir={workdir}", *flags)
    assert status == 0, err
    return json.loads(out.splitlines()[-1]), out


def test_every_score_stands_with_its_protocol_and_calibration(runs, published, command, tmp_path):
    found, out = scored(command, runs, tmp_path)
    assert found["protocol"] == "whole 64x64"
    told = [line for line in out.splitlines() if "mIoU" in line]
    assert len(told) == 2  # student and teacher
    assert all("(whole 64x64)" in line and "calibration error" in line for line in told)
    for prefix in ("", "teacher/"):
        assert 0 <= found[f"{prefix}calibration_error"] <= 1
        assert found[f"{prefix}nll_tempered"] <= found[f"{prefix}nll"]
    assert found == published == json.loads((tmp_path / "metrics.json").read_text())


def test_another_protocol_has_a_file_of_its_own(runs, published, command, tmp_path):
    found, _ = scored(command, runs, tmp_path, "--window=32x32", "--stride=16x32", "--flip")
    assert found["protocol"] == "sliding 32x32 by 16x32 over 64x64, flip"
    assert [path.name for path in tmp_path.iterdir()] == ["metrics_sliding_32x32_by_16x32_over_64x64_flip.json"]
    assert found["step"] == published["step"]
    assert found["miou"] != published["miou"] or found["nll"] != published["nll"]


def test_a_window_of_the_whole_image_scores_as_published(runs, published, tmp_path):
    asked = Asked(Protocol((64, 64), (64, 64)))
    found = evaluate(str(runs / "semi_supervised"), str(tmp_path), asked=asked)
    names = ("miou", "pixel_accuracy", "calibration_error", "nll")
    assert {name: found[name] for name in names} == pytest.approx({name: published[name] for name in names}, abs=1e-6)


def test_rendered_data_have_no_other_original_size(runs, published, command, tmp_path):
    for resolution in ("trained", "full"):
        found, _ = scored(command, runs, tmp_path, f"--resolution={resolution}")
        assert found["protocol"] == "whole 64x64"
        assert found["miou"] == pytest.approx(published["miou"], abs=1e-6)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--window=96x96",), "window 96x96 is larger than the image as the network sees it, 64x64"),
        (("--window=48x64",), "window 48x64 does not fit the network"),
        (("--window=32",), "--window=32: expected height x width in pixels, like 512x1024"),
        (("--stride=32x32",), "stride 32x32 without a window"),
        (("--window=32x32", "--stride=64x64"), "larger than the window 32x32, which leaves gaps"),
        (("--scales=0.1",), "scale 0.1 of 64x64 is 6.4x6.4, but the network takes multiples of 32"),
        (("--scales=1,x",), "--scales=1,x: expected numbers with commas"),
        (("--protocol=slidin",), "no such protocol; did you mean 'sliding'"),
        (("--protocol=whole", "--window=32x32"), "--protocol=whole takes no window; leave --window out"),
    ],
)
def test_protocols_that_cannot_be_end_with_one_line(refused, runs, tmp_path, flags, message):
    line = refused("evaluate", f"--checkpoint={runs / 'semi_supervised'}", f"--workdir={tmp_path}", *flags)
    assert message in line
    assert not list(tmp_path.iterdir())


def test_depth_alone_is_scored_as_published_only(refused, runs, tmp_path):
    line = refused("evaluate", f"--checkpoint={runs / 'depth'}", f"--workdir={tmp_path}", "--flip")
    assert "the checkpoint predicts no classes; depth is scored as published alone: leave those flags out" in line
    line = refused("predict", f"--checkpoint={runs / 'depth'}", "--input=x", "--flip")
    assert (
        "depth alone is predicted, which always sees the whole image; leave --window, --scales and --flip out" in line
    )
    line = refused("predict", f"--checkpoint={runs / 'depth'}", "--input=x", "--metric=camera_height:1.5")
    assert "--metric=camera_height needs the camera: give --camera=camera.json" in line


def test_the_temperature_that_was_evaluated_is_applied(runs, refused, command, tmp_path):
    flags = (
        "predict",
        f"--checkpoint={runs / 'semi_supervised'}",
        f"--output={tmp_path / 'out'}",
        "--temperature=auto",
    )

    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    status, _, err = command(*flags, f"--input={tmp_path / 'a.png'}", "--weights=teacher")
    assert status == 0, err
    head = json.loads((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()[0])
    stored = json.loads((runs / "semi_supervised" / "metrics.json").read_text())
    assert head["settings"]["temperature"] == stored["teacher/temperature"]
    line = refused("predict", f"--checkpoint={runs / 'depth'}", "--input=x", "--temperature=auto")
    assert "has no 'temperature'; run cli.evaluate --checkpoint=" in line
    assert "expected a number above 0, or auto" in refused(*flags[:-1], "--input=x", "--temperature=0")


@pytest.mark.parametrize(("resolution", "folder"), [("prepared", ""), ("trained", "_24x32"), ("full", "_24x32")])
def test_original_sizes_are_prepared_beside_the_others(tmp_path, resolution, folder):
    tree_camvid.write(tmp_path / "raw")
    config = load_config(TINY, "camvid")
    override(config, {"data.raw_dir": str(tmp_path / "raw"), "data.prepared_dir": str(tmp_path / "prepared")})
    found = at_resolution(config, Asked(resolution=resolution))
    assert found.data.prepared_dir == f"{tmp_path / 'prepared'}{folder}"
    assert tuple(found.data.size) == ((24, 32) if folder else (64, 64))
    assert tuple(config.data.size) == (64, 64)  # nothing else reads the changed one


@pytest.mark.parametrize("shape", [(80, 80), (60, 130)])
def test_the_trained_resolution_scores_what_predict_writes(runs, shape):
    trained = load_trained(str(runs / "semi_supervised"))
    images = np.random.default_rng(0).integers(0, 256, (3, *shape, 3), np.uint8)
    found = scoring._enlarged(trained, Asked(resolution="trained"), 2)
    got = [found(images[:2]), found(images[2:])]
    model = load(runs / "semi_supervised")
    for classes, image in zip(np.concatenate([one.classes for one in got]), images, strict=True):
        np.testing.assert_array_equal(classes, model.predict(image).classes)


def test_the_name_of_a_protocol_has_the_size_that_the_network_sees(runs, refused, tmp_path):
    trained = load_trained(str(runs / "semi_supervised"))
    config = trained.config.copy_and_resolve_references()
    with config.unlocked(), config.ignore_type():
        config.data.size = (60, 130)
    data = types.SimpleNamespace(has=lambda split, field: True)
    for aspect, seen in (("keep", "32x64"), ("trained", "64x64")):
        asked = Asked(resolution="trained", aspect=aspect)
        assert scoring.scorer_of(asked, trained, config, data)[1] == f"whole {seen}, scored at 60x130"
    line = refused("evaluate", f"--checkpoint={runs / 'semi_supervised'}", f"--workdir={tmp_path}", "--aspect=trained")
    assert "aspect=trained is of resolution=trained alone; leave it out, or give both" in line
