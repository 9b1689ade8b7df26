"""Scores of a depth network on a data set that has true depth in some splits and labels in none."""

import json
import pathlib
import sys
import types

import numpy as np
import pytest

from sde_seg_jax.evaluation.depth import garg_crop
from sde_seg_jax.experiment import monitor
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.training.log import read_metrics

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import trees

pytestmark = pytest.mark.slow

TINY = pathlib.Path(__file__).resolve().parents[1] / "tiny" / "config.py"
NAMES = {"abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"}


@pytest.fixture(scope="module")
def root(tmp_path_factory, finish, tiny):
    """A folder with a tiny KITTI and a run that trained on its video, scored on its val."""
    root = tmp_path_factory.mktemp("kitti")
    trees.write("kitti", root / "raw")
    places = (f"--config.data.raw_dir={root / 'raw'}", f"--config.data.prepared_dir={root / 'prepared'}")
    shorter = ("--config.train.steps=2", "--config.train.eval_every=2")
    status, _, err = finish("train", tiny("kitti"), *places, *shorter, f"--workdir={root / 'run'}")
    assert status == 0, err
    return root


@pytest.fixture
def score(root, command, tmp_path):
    """score(*flags) -> the scores of the run, written to tmp_path."""

    def call(*flags):
        status, out, err = command("evaluate", f"--checkpoint={root / 'run'}", f"--workdir={tmp_path}", *flags)
        assert status == 0, err
        return json.loads(out.splitlines()[-1])

    return call


def test_training_scores_depth_as_it_goes(root):
    assert any(np.isfinite(line.get("val/abs_rel", np.nan)) for line in read_metrics(str(root / "run")))


def test_depth_is_scored_and_shown_without_labels(score, tmp_path):
    found = score()
    assert found.keys() >= NAMES | {f"unscaled/{name}" for name in NAMES}
    assert all(np.isfinite(found[name]) for name in NAMES)
    assert "miou" not in found
    assert [path.name for path in (tmp_path / "pictures").glob("*.png")] == ["depth.png"]


def test_the_crop_changes_what_counts(score):
    whole, cropped = score(), score("--config.eval.depth_crop=garg")
    assert cropped["constant_depth"] > 0
    assert cropped["abs_rel"] != whole["abs_rel"]


def test_an_unknown_crop_lists_the_known_ones(root, refused, tiny, tmp_path):
    crop = "--config.eval.depth_crop=eigen"
    lines = [
        refused("evaluate", f"--checkpoint={root / 'run'}", crop),
        refused("train", tiny("kitti"), f"--workdir={tmp_path}", crop),
    ]
    assert all("unknown eval.depth_crop 'eigen'; known: none, garg" in line for line in lines)


def test_a_split_of_its_own_is_prepared_without_the_training_data(root, score, tmp_path):
    elsewhere = tmp_path / "prepared_test"
    found = score("--config.data.val_split=test", f"--config.data.prepared_dir={elsewhere}")
    assert np.isfinite(found["abs_rel"])
    (metadata,) = elsewhere.glob("kitti/*/metadata.json")
    assert list(json.loads(metadata.read_text())["splits"]) == ["test"]


def test_a_split_without_true_depth_gives_a_verdict_and_pictures_and_no_error_of_depth(score, tmp_path):
    found = score("--config.data.val_split=video")
    assert found.pop("step") == 2
    assert found.pop("verdict").startswith(("not yet: ", "depth "))
    assert found
    assert all(name.startswith("video/") for name in found)
    assert (tmp_path / "pictures" / "depth.png").is_file()


class Known:
    """A `Data` that knows some fields of its validation split."""

    space = None

    def __init__(self, *fields):
        self.fields = fields

    def has(self, use, field):
        return use == "val" and field in self.fields

    def validation(self, fields, size):
        return fields


@pytest.mark.parametrize(
    ("fields", "expected"),
    [(("label",), {"miou"}), (("depth",), {"abs_rel"}), (("label", "depth"), {"miou", "abs_rel"}), ((), {"miou"})],
)
def test_a_network_with_both_heads_is_scored_on_what_is_known(monkeypatch, fields, expected):
    crops = []
    monkeypatch.setattr(monitor, "segmentation_scores", lambda *args, **options: {"miou": 0.5})
    monkeypatch.setattr(monitor, "depth_scores", lambda *args, crop, **options: crops.append(crop) or {"abs_rel": 0.1})
    for name in ("class_predictor", "disparity_predictor", "in_batches", "depth_of"):
        monkeypatch.setattr(monitor.predictors, name, lambda *args: None)
    network = types.SimpleNamespace(segmentation=1, depth_decoder=1)
    config = load_config(str(TINY), "depth")
    config.eval.depth_crop = "garg"
    assert set(monitor.score(network, None, config, Known(*fields))) == expected
    assert crops == [garg_crop] * ("depth" in fields)
