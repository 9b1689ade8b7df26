"""Stages of a table that choose images to label: planned, run before the rows that train on their lists, kept."""

import json
import pathlib
import shutil

import pytest
from ml_collections import ConfigDict

from sde_seg_jax.experiment import stages
from sde_seg_jax.experiment.begun import refuse_other_config
from sde_seg_jax.experiment.config import UsageError, as_json, load_config
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.selection.files import Chosen, write_chosen
from sde_seg_jax.experiment.selection.report import PAGE
from sde_seg_jax.experiment.table import runs as table_runs
from sde_seg_jax.experiment.table.file import references
from sde_seg_jax.reporter import Collected
from sde_seg_jax.training.loop import Diverged

TINY = pathlib.Path(__file__).resolve().parents[1] / "tiny" / "selection_table.py"
NAMES = [f"scene{i}" for i in range(4)]


@pytest.fixture
def call(command, tmp_path):
    """call(*flags) of cli.table on the tiny selections -> (exit status, stdout, stderr)."""
    prepared = f"--config.data.prepared_dir={tmp_path / 'prepared'}"
    return lambda *flags: command("table", f"--config={TINY}", prepared, f"--workdir={tmp_path / 'runs'}", *flags)


@pytest.fixture
def plan(call):
    """plan(*flags) -> the plan that a dry run prints."""

    def lines(*flags):
        status, out, err = call("--dry_run", *flags)
        assert status == 0, err
        return [line.strip() for line in out.partition("\n\n")[0].splitlines()]

    return lines


@pytest.fixture
def chosen(tmp_path):
    """chosen("select_us", 2) writes what a selection leaves that has chosen so many."""

    def write(stage, count):
        folder = tmp_path / "runs" / stage
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(as_json(load_config(str(TINY), stage))))
        write_chosen(folder, [Chosen(rank, name, count, "us") for rank, name in enumerate(NAMES[:count], start=1)])
        (folder / PAGE).write_text("what a selection ends with")
        return folder

    return write


# references


def test_a_file_of_a_stage_names_the_stage():
    config = load_config(str(TINY), "us")
    assert list(references(config)) == ["select_us"]
    assert list(references(load_config(str(TINY), "select_us"))) == ["depth"]


def test_a_file_of_a_stage_lies_in_its_folder_beside_the_run(tmp_path):
    config = resolve(load_config(str(TINY), "us"), tmp_path)
    assert config.data.label_file == str(tmp_path / "select_us" / "labels.txt")
    config = load_config(str(TINY), "select_us")
    config.select.start = "@select_ds/labels.txt"
    assert resolve(config, tmp_path).select.start == str(tmp_path / "select_ds" / "labels.txt")
    assert config.task.depth_checkpoint == str(tmp_path / "depth")


def test_a_list_stands_for_any_folder_of_that_name_but_not_for_another_list(tmp_path):
    asked = as_json(load_config(str(TINY), "us"))
    before = as_json(load_config(str(TINY), "us"))
    for label_file in ("/elsewhere/select_us/labels.txt", "@select_us/labels.txt"):
        before["data"]["label_file"] = label_file
        (tmp_path / "config.json").write_text(json.dumps(before))
        refuse_other_config(asked, tmp_path)
    for label_file in ("/elsewhere/select_ds/labels.txt", "/elsewhere/select_us/other.txt", "labels.txt", ""):
        before["data"]["label_file"] = label_file
        (tmp_path / "config.json").write_text(json.dumps(before))
        with pytest.raises(UsageError, match=r"config\.data\.label_file differs"):
            refuse_other_config(asked, tmp_path)


# the plan


def test_a_plan_shows_selections_and_what_they_need_though_no_list_is_there(plan, tmp_path):
    lines = plan()
    assert lines[:5] == [
        "Tiny selection: 3 runs",
        "stage depth: missing",
        "stage select_ds: missing",
        "stage select_us: missing",
        "3 missing: random_3_s42, ds_3_s42, us_3_s42",
    ]
    assert lines[5].startswith("time: 12 steps in 6 runs: ")
    assert plan("--rows=random")[:2] == ["Tiny selection: 1 run", "1 missing: random_3_s42"]
    assert not any(tmp_path.iterdir())


def test_a_plan_tells_how_far_selections_are(plan, chosen):
    folder = chosen("select_us", 2)
    chosen("select_ds", 4)
    ds, us = "stage select_ds: finished", "stage select_us: "
    assert plan()[1:4] == ["stage depth: missing", ds, us + "to resume at 2 of 4 labels"]
    (folder / "status.json").write_text('{"failed": "the loss is nan"}')
    assert plan()[3] == us + "failed at 2 of 4 labels, to try again"
    chosen("select_us", 4)
    assert plan()[1:4] == ["stage depth: missing, not needed now", ds, us + "finished"]


def test_a_list_brought_along_stands_for_a_selection(plan, chosen, call, made):
    (chosen("select_us", 4) / "config.json").unlink()
    assert plan("--rows=us")[1:3] == ["stage depth: missing, not needed now", "stage select_us: brought along"]
    names = made()
    assert call("--rows=us")[0] == 0
    assert names == ["us_3_s42"]


def test_a_selection_of_another_configuration_is_refused(call, chosen):
    folder = chosen("select_us", 4)
    config = json.loads((folder / "config.json").read_text())
    config["select"]["bias"] = 1.0
    (folder / "config.json").write_text(json.dumps(config))
    status, _, err = call("--dry_run")
    assert status == 2
    assert "select_us was begun with another configuration (config.select.bias differs: 1.0 then, 1000.0 now)" in err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"us"}', '"usd"}', "unknown select.criterion 'usd'; known: random, entropy, coreset, us"),
        ('"@select_us/', '"@select_u/', "'@select_u': 'select_u' is not in STAGES; did you mean 'select_us'"),
        ("steps = (2, 4)", "steps = (4, 2)", "config.select.steps=(4, 2): expected growing numbers of labels"),
    ],
)
def test_a_selection_that_cannot_be_run_is_refused_before_any_work(command, tmp_path, old, new, message):
    text = TINY.read_text().replace("pathlib.Path(__file__).resolve().parent", f"pathlib.Path({str(TINY.parent)!r})")
    text = text.replace("tests/tiny/config.py", str(TINY.parent / "config.py"))
    assert old in text
    other = tmp_path / "other.py"
    other.write_text(text.replace(old, new).replace("tests/tiny/selection_table.py", str(other)))
    flags = ("--dry_run", "--rows=us", f"--config={other}", f"--workdir={tmp_path / 'runs'}")
    status, _, err = command("table", *flags)
    assert status == 2
    assert message in err


# running


def test_a_selection_runs_between_the_depth_that_it_looks_at_and_the_rows_that_train_on_it(call, made):
    names = made()
    assert call()[0] == 0
    assert names == ["random_3_s42", "depth", "select_ds", "ds_3_s42", "select_us", "us_3_s42"]


def test_a_failed_selection_fails_its_rows_and_no_others(call, made):
    names = made(select_ds=Diverged("the loss is nan"))
    status, _, err = call()
    assert status == 1
    assert names == ["random_3_s42", "depth", "select_ds", "select_us", "us_3_s42"]
    assert "select_ds failed: the loss is nan" in err


def test_a_stage_that_selects_is_selected_once(tmp_path, monkeypatch):
    config, calls = load_config(str(TINY), "select_us"), []
    monkeypatch.setattr(stages, "select", lambda config, folder, reporter: calls.append(folder))
    assert stages.run_stage(config, tmp_path, "select_us") == {}
    write_chosen(tmp_path, [Chosen(rank, name, 4, "us") for rank, name in enumerate(NAMES, start=1)])
    (tmp_path / PAGE).touch()
    told = Collected()
    assert stages.run_stage(config, tmp_path, "select_us", told) == {}
    assert calls == [tmp_path]
    assert told.lines == [f"select_us: 4 samples are chosen in {tmp_path}"]


def test_a_selection_takes_the_time_of_its_students(tmp_path):
    config = load_config(str(TINY), "select_us")
    with config.unlocked():
        config.select.steps, config.select.student_steps = (2, 3, 4), (10, 20)
    item = table_runs.Item("select_us", "select us", tmp_path, config)
    assert item.steps == 10 + 20
    assert table_runs.seconds_left([item], [item]) is None
    for student, seconds in (("00002", 5.0), ("00003", 10.0)):
        folder = tmp_path / "students" / student
        folder.mkdir(parents=True)
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "seconds": seconds}) + "\n")
    write_chosen(tmp_path, [Chosen(rank, name, 4, "us") for rank, name in enumerate(NAMES, start=1)])
    (tmp_path / PAGE).touch()
    (tmp_path / "config.json").write_text("{}")
    other = table_runs.Item("select_us_2", "select us", tmp_path / "other", config)
    assert table_runs.seconds_left([other], [item, other]) == 15.0  # 15 s for 30 steps, 30 steps to go
    for changes, steps in (({"criterion": "ds"}, 0), ({"single": True}, 10)):
        changed = ConfigDict(as_json(config))
        changed.select.update(changes)
        assert table_runs.Item("x", "x", tmp_path, changed).steps == steps


@pytest.mark.whole
def test_rows_train_on_the_lists_that_stages_chose(call, tmp_path):
    runs = tmp_path / "runs"
    status, out, err = call("--rows=us,ds")
    assert status == 0, err
    for row in ("us", "ds"):
        names = (runs / f"select_{row}" / "labels.txt").read_text().split()
        assert len(set(names)) == 4
        config = json.loads((runs / f"{row}_3_s42" / "config.json").read_text())
        assert config["data"]["label_file"] == str(runs / f"select_{row}" / "labels.txt")
        assert json.loads((runs / f"{row}_3_s42" / "metrics.json").read_text())["step"] == 2
    status, out, _ = call("--rows=us,ds")
    assert status == 0
    assert "stage select_ds: finished" in out
    assert " of " not in out.partition("3 labels")[0]
    shutil.rmtree(runs / "us_3_s42")  # another run of the list needs the list alone
    shutil.rmtree(runs / "depth")
    status, out, err = call("--rows=us")
    assert status == 0, err
    assert "1 of 1: us_3_s42" in out
