"""Lengths of the schedule that follow train.steps: what a run notes, and what it keeps when it is made longer."""

import json
import pathlib

import pytest
from ml_collections import ConfigDict

from sde_seg_jax.experiment.begun import EXTENDABLE, begun, refuse_other_config
from sde_seg_jax.experiment.config import UsageError, as_json, load_config, load_module
from sde_seg_jax.experiment.schedule import OVER, spell_out
from sde_seg_jax.training.log import read_metrics

TINY = str(pathlib.Path(__file__).resolve().parents[1] / "tiny" / "config.py")


def configuration(train_steps, **schedule):
    config = load_config(TINY, "supervised").unlock()
    config.train.steps = train_steps
    config.schedule = ConfigDict({"name": "poly"} | schedule)
    return config


@pytest.fixture
def folder(tmp_path):
    """folder(stored schedule, train.steps) -> a workdir begun with it."""

    def make(schedule, steps=900):
        config = configuration(steps, **schedule)
        (tmp_path / "config.json").write_text(json.dumps(as_json(config)))
        return tmp_path

    return make


def silent(line):
    raise AssertionError(line)


@pytest.mark.parametrize("given", [{}, {"steps": 0}, {"steps": 900}])
def test_a_new_run_notes_numbers_of_updates(given):
    assert spell_out(configuration(900, **given), {}, silent).schedule.to_dict() == {"name": "poly", "steps": 900}
    drop = configuration(900, name="step", milestones=(0.75, 800))
    assert spell_out(drop, {}, silent).schedule.to_dict() == {"name": "step", "milestones": [675, 800]}
    assert drop.schedule.milestones == (0.75, 800)  # what was asked for stays as it is


def test_a_run_that_is_made_longer_keeps_the_lengths_it_was_begun_with_and_says_so(folder):
    for now in ({"steps": 0}, {}, {"steps": 900}):
        longer, lines = configuration(1200, **now), []
        workdir = folder({"steps": 900})  # as stored: of this version, or of one that only knew numbers
        refuse_other_config(as_json(longer), workdir, EXTENDABLE)
        assert spell_out(longer, begun(workdir), lines.append).schedule.steps == 900
        assert lines == (
            []
            if now.get("steps")
            else [f"learning rates are those that the run was begun with: config.schedule.steps=900{OVER}"]
        )
    drop = configuration(2000, name="step", milestones=(0.75,))
    workdir = folder({"name": "step", "milestones": (1050,)}, 1400)
    refuse_other_config(as_json(drop), workdir, EXTENDABLE)
    assert spell_out(drop, begun(workdir), lambda line: None).schedule.milestones == [1050]


@pytest.mark.parametrize(
    ("then", "now", "key"),
    [
        ({"steps": 900}, {"steps": 1200}, "steps"),
        ({"name": "step", "milestones": (1050,)}, {"name": "step", "milestones": (500,)}, "milestones"),
        ({"name": "step", "milestones": (1050,)}, {"steps": 0}, "name"),
    ],
)
def test_other_numbers_are_another_configuration(folder, then, now, key):
    with pytest.raises(UsageError, match=rf"config\.schedule\.{key} differs"):
        refuse_other_config(as_json(configuration(1200, **now)), folder(then), EXTENDABLE)


def test_a_training_anneals_over_its_steps_and_goes_on_at_the_last_rate(command, prepared, tiny, tmp_path):
    flags = (tiny("supervised"), prepared, f"--workdir={tmp_path}", "--config.schedule.steps=0")
    for steps in (2, 3):
        status, out, err = command("train", *flags, f"--config.train.steps={steps}")
        assert status == 0, err
    assert "learning rates are those that the run was begun with: config.schedule.steps=2" in out
    rates = [line["learning_rate/default"] for line in read_metrics(str(tmp_path))]
    assert rates == pytest.approx([1e-2, 1e-2 * 0.5**0.9, 1e-2 * 1e-6], rel=1e-5)
    assert begun(tmp_path)["schedule"] == {"name": "poly", "steps": 2}


def test_a_run_of_before_a_key_existed_goes_on_with_what_it_did_then(tmp_path):
    config = as_json(load_config(TINY, "semi_supervised"))
    before = {**config, "task": {k: v for k, v in config["task"].items() if k not in ("ramp", "weighting")}}
    (tmp_path / "config.json").write_text(json.dumps(before))
    refuse_other_config(config, tmp_path)
    config["task"]["weighting"] = "pixel"
    with pytest.raises(UsageError, match=r"config\.task\.weighting differs: 'batch' then, 'pixel' now"):
        refuse_other_config(config, tmp_path)


RECIPE = (
    "temperature",
    "divisor",
    "teacher_decay",
    "views",
    "complementary",
    "jitter_kind",
    "jitter_hue",
    "gray_probability",
)


@pytest.mark.parametrize("task", ["semi_supervised", "multitask", "domain_adaptation"])
def test_a_run_begun_before_the_keys_of_the_modern_recipe_goes_on(task, tmp_path):
    base = load_module("base")
    config = as_json(getattr(base, task)(base.get_config()))
    before = {**config, "task": {k: v for k, v in config["task"].items() if k not in (*RECIPE, "blur_sigma")}}
    before["model"] = {k: v for k, v in config["model"].items() if k != "head_kind"}
    (tmp_path / "config.json").write_text(json.dumps(before))
    refuse_other_config(config, tmp_path)
    config["task"]["views"] = 2
    with pytest.raises(UsageError, match=r"config\.task\.views differs: 1 then, 2 now"):
        refuse_other_config(config, tmp_path)
