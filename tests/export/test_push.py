"""A network that is shared is the network that was trained, and its card is one that the hub's own classes read."""

import json
import pathlib

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import ModelCard

import sde_seg_jax as sds
from sde_seg_jax.experiment.export.samples import generated
from sde_seg_jax.experiment.weights import card, sharing
from sde_seg_jax.label_spaces import LabelSpace

LICENSE = "cc-by-nc-4.0"


@pytest.fixture
def shared(checkpoint, command, tmp_path):
    """The folder that cli.push writes of an untrained multitask network."""
    run = pathlib.Path(checkpoint("multitask_supervised"))
    (run / "metrics.json").write_text(json.dumps({"step": 7, "miou": 0.5, "protocol": "whole 64x64"}))
    to = tmp_path / "streets"
    status, out, err = command(f"--checkpoint={run}", f"--to={to}", f"--license={LICENSE}", name="push")
    assert status == 0, err
    assert f"wrote {to}" in out
    return to


def test_what_is_shared_predicts_what_the_run_predicts(shared, checkpoint):
    assert {path.name for path in shared.iterdir()} == {
        *("model.safetensors", "config.json", "classes.json", "README.md")
    }
    run, there = sds.load(checkpoint("multitask_supervised")), sds.load(shared)
    (image,) = generated(run.size, 1)
    expected, found = run.predict(image), there.predict(image)
    np.testing.assert_array_equal(found.stored_probabilities, expected.stored_probabilities)
    np.testing.assert_array_equal(found.disparity, expected.disparity)
    assert (there.classes, there.step) == (run.classes, run.step)


def test_the_card_is_filled_and_names_no_folder_of_the_machine(shared):
    card = ModelCard.load(shared / "README.md")
    assert (card.data.library_name, card.data.license) == ("sde_seg_jax", LICENSE)
    assert card.data.pipeline_tag == "image-segmentation"
    assert "| mean IoU | 0.5000 |" in card.text
    assert "protocol whole 64x64" in card.text
    assert "Semantic segmentation and depth, trained as" in card.text
    assert (shared / "model.safetensors").stat().st_mode == (shared / "config.json").stat().st_mode  # others may read
    assert "| weights | student, after 7 updates |" in card.text
    for file in ("README.md", "config.json"):
        assert str(shared.parents[1]) not in (shared / file).read_text()


def test_the_card_of_a_teacher_has_the_teachers_scores(shared):
    config = json.loads((shared / "config.json").read_text())["config"]
    scores = {"miou": 0.5, "abs_rel": 0.1, "teacher/miou": 0.7}
    text = card.text(card.Facts("streets", config, 7, "teacher", scores, None, ""))
    assert "On the validation split, teacher's weights." in text
    assert "| mean IoU | 0.7000 |" in text
    assert "depth error" not in text
    assert "0.5000" not in text
    assert "Not evaluated." in card.text(card.Facts("streets", config, 7, "teacher", {"miou": 0.5}, None, ""))


def test_the_card_tells_what_is_there_and_what_the_hub_knows(shared):
    config = json.loads((shared / "config.json").read_text())["config"]
    space = LabelSpace("two", ("road", "sky"), ((0, 0, 0), (1, 1, 1)))
    facts = ("streets", config, 7, "student", {"miou": 0.5, "iou/road": 0.75, "iou/sky": None}, space)
    text = card.text(card.Facts(*facts, "My terms", ("depth",), ("abc1234", "def5678")))
    assert "license: other" in text
    assert "license_name: My terms" in text
    assert "\nDepth, trained as" in text
    assert "commit abc1234, def5678 |" in text
    assert "| IoU, road | 0.7500 |" in text
    assert "IoU, sky" not in text


def test_the_card_names_sources_without_their_folders(shared):
    config = json.loads((shared / "config.json").read_text())["config"]
    config["model"]["init"] = "../secret/run"
    assert "| started from | all (run) |" in card.text(card.Facts("streets", config, 7, "student", {}, None, ""))
    config["model"]["transfer"] = ["encoder from hub", "depth_decoder from mine"]
    config["sources"] = {"hub": "hf://org/name/model.safetensors", "mine": "~/secret/depth.safetensors"}
    text = card.text(card.Facts("streets", config, 7, "student", {}, None, ""))
    assert "encoder from hub (hf://org/name/model.safetensors); depth_decoder from mine (depth.safetensors)" in text
    assert "secret" not in text
    assert sharing.without_places(config)["sources"]["mine"] == "depth.safetensors"


def test_what_was_pushed_is_exported_as_the_run_is(shared, command, tmp_path):
    to = tmp_path / "model.stablehlo"
    status, _, err = command(f"--checkpoint={shared}", f"--output={to}")
    assert status == 0, err
    assert json.loads(to.with_name("model.stablehlo.json").read_text())["checkpoint"] == "streets"
    (image,) = generated((64, 64), 1)
    expected, found = sds.load(shared).predict(image), sds.load(to).predict(image)
    np.testing.assert_allclose(found.stored_probabilities, expected.stored_probabilities, atol=1e-4)


@pytest.mark.parametrize(("name", "flags"), [("evaluate", ()), ("push", ("--to=elsewhere",))])
def test_commands_that_need_the_run_say_so_of_what_was_pushed(name, flags, shared, command):
    status, _, err = command(f"--checkpoint={shared}", *flags, name=name)
    assert (status, len(err.splitlines())) == (2, 1)
    assert f"{shared} is what cli.push wrote, which cli.predict, cli.export and sds.load take; cli.{name} needs" in err


def test_a_repository_is_read_through_a_snapshot(shared, monkeypatch):
    asked = []

    def snapshot(repository, **options):
        asked.append(repository)
        return str(shared)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert sds.load("hf://org/streets").step == 7
    assert asked == ["org/streets"]


def test_a_repository_is_written_whole(checkpoint, monkeypatch):
    sent = {}
    monkeypatch.setattr(huggingface_hub, "create_repo", lambda repository, exist_ok: None)

    def upload(repo_id, folder_path):
        sent[repo_id] = {path.name for path in folder_path.iterdir()}
        return "https://there"

    monkeypatch.setattr(huggingface_hub, "upload_folder", upload)
    assert sharing.push(checkpoint("depth"), "hf://org/depth") == "https://there"
    assert sent == {"org/depth": {"model.safetensors", "config.json", "README.md"}}


def test_what_cannot_be_shared_or_fetched_names_the_way_by_hand(shared, checkpoint, monkeypatch, command):
    def refuse(*arguments, **options):
        raise OSError("403 gated")

    for name in ("snapshot_download", "create_repo"):
        monkeypatch.setattr(huggingface_hub, name, refuse)
    run = checkpoint("depth")
    for flags, told in (
        ((f"--checkpoint={run}", f"--to={shared}"), "exists already; delete it, or choose another folder"),
        ((f"--checkpoint={run}", "--to=hf://org"), "--to=hf://org: expected hf://org/name, or a folder"),
        ((f"--checkpoint={run}", "--to=hf://org/name"), "cannot be written (403 gated): log in with 'hf auth login'"),
        ((f"--checkpoint={run}", "--to=x", "--weights=teacher"), "has no teacher; use --weights=student"),
    ):
        status, _, err = command(*flags, name="push")
        assert (status, len(err.splitlines())) == (2, 1)
        assert told in err
    with pytest.raises(ValueError, match=r"hf://org/name cannot be fetched \(403 gated\): save model.safetensors and"):
        sds.load("hf://org/name")
