"""What a table's file and command line may hold, and the plan that follows; nothing is trained here."""

import pathlib
import re

import pytest

from sde_seg_jax.experiment.config import ConfigFile
from sde_seg_jax.experiment.configuration.files import load_module
from sde_seg_jax.experiment.table import dry_run
from sde_seg_jax.experiment.table.file import read_table

TINY = pathlib.Path(__file__).resolve().parents[1] / "tiny" / "table.py"


@pytest.fixture
def plan(command, tmp_path):
    """plan(*flags) of a dry run in a new folder -> (exit status, stdout, stderr)."""
    return lambda *flags, config=TINY: command(
        "table", f"--config={config}", f"--workdir={tmp_path / 'none'}", "--dry_run", *flags
    )


def test_a_dry_run_touches_nothing(plan, tmp_path):
    status, out, _ = plan("--rows=transfer", "--seeds=43,44", "--labels=2,3")
    assert status == 0
    runs = "transfer_2_s43, transfer_3_s43, transfer_2_s44, transfer_3_s44"
    assert f"Tiny table: 4 runs\n  stage depth: missing\n  4 missing: {runs}\n" in out
    assert out.count("not run") == 2 * 2  # of the row that was asked for
    assert not any(tmp_path.iterdir())


def test_a_dry_run_tells_what_the_runs_need(plan, tmp_path):
    _, out, _ = plan("--rows=transfer", "--seeds=43", f"--config.data.prepared_dir={tmp_path}/prepared")
    assert "  time: 6 steps in 2 runs: 0.0 h for every second that a step takes" in out
    assert re.search(r"  disk: about 0.0 GB of checkpoints, [\d.]+ GB are free", out)
    assert f"  data: street_scenes (train, val) in '{tmp_path}/prepared': will be made\n" in out
    assert "weights:" not in out


def test_a_step_that_was_timed_tells_the_hours(plan, tmp_path):
    for row in ("transfer_3_s43", "depth"):
        (tmp_path / "none" / row).mkdir(parents=True)
        (tmp_path / "none" / row / "metrics.jsonl").write_text('{"step": 2, "seconds": 7200}\n')
    _, out, _ = plan("--rows=transfer", "--seeds=43")
    assert "  time: about 6 h 0 min for 6 steps in 2 runs, by the time of a step here\n" in out


def test_data_and_weights_that_are_missing_are_named(plan, monkeypatch):
    monkeypatch.setattr(dry_run, "in_cache", lambda value, flag: False)
    _, out, _ = plan("--rows=baseline,mtl", "--labels=372", "--seeds=42", config="paper/multitask")
    assert out.count("MISSING; give --config.data.raw_dir=DIR, its files as downloaded") == 2
    assert "model.safetensors are not on this machine: they will be fetched, or give --config.sources.imagenet=" in out
    monkeypatch.setattr(dry_run, "in_cache", lambda value, flag: True)
    assert "weights:" not in plan("--rows=baseline", "--labels=372", "--seeds=42", config="paper/multitask")[1]


def test_label_counts_that_are_not_asked_for_are_shown_only_if_something_is_there(plan, tmp_path):
    assert "\n3 labels\n" not in plan("--labels=2")[1]
    (tmp_path / "none" / "supervised_3_s42").mkdir(parents=True)
    _, out, _ = plan("--labels=2")
    assert out.index("\n3 labels\n") < out.index("\n2 labels\n")


def test_options_of_the_file_reach_every_run_and_have_no_quoted_numbers(plan):
    status, out, _ = plan(config=f"{TINY}:width=4")
    assert status == 0
    assert out.startswith("Tiny table (width=4): 6 runs")
    assert "paper" not in out


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--rows=supervise",
            "--rows=supervise: 'supervise' is not in rows; did you mean 'supervised'? known: diverges",
        ),
        ("--seeds=42,x", "--seeds=42,x: 'x' is no whole number"),
        ("--against=supervise", "--against=supervise: 'supervise' is not in against; did you mean 'supervised'?"),
        ("--config.seed=1", "--config.seed: a table runs several; use --seeds=1"),
        ("--config.data.labels=1", "--config.data.labels: a table runs several; use --labels=1"),
        ("--config.model.widht=8", "unknown key 'config.model.widht': did you mean 'width'?"),
        ("--config.task.name=supervied", "unknown task 'supervied'; did you mean 'supervised'?"),
    ],
)
def test_bad_flags_are_refused_before_any_work(plan, tmp_path, flag, message):
    status, _, err = plan(flag)
    assert status == 2
    assert f"error: {message}" in err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("LABELS = (3,)", "", "is no table: it lacks LABELS; use cli.pipeline or cli.train"),
        ("SEEDS = (42, 43)", "SEEDS = (42, 42)", "SEEDS must hold different int, at least one; got (42, 42)"),
        ('{("supervised"', '{("supervise"', "'supervise' is not in ROWS; did you mean 'supervised'?"),
        ("SOURCE =", "ORIGIN =", "PAPER quotes numbers, but SOURCE does not say from where"),
        ('"@depth"', '"@dept"', "'@dept': 'dept' is not in STAGES; did you mean 'depth'?"),
        ("tests/tiny/config.py:depth", "nowhere.py", "--config=nowhere.py: no such file"),
        ("tests/tiny/config.py:depth", "other.py:transfer", "STAGES need each other: depth -> depth"),
    ],
)
def test_a_file_that_is_no_table_is_refused(plan, tmp_path, old, new, message):
    text = TINY.read_text().replace("pathlib.Path(__file__).resolve().parent", f"pathlib.Path({str(TINY.parent)!r})")
    assert old in text
    (tmp_path / "other.py").write_text(
        text.replace(old, new).replace("tests/tiny/config.py", str(TINY.parent / "config.py"))
    )
    status, _, err = plan(config=tmp_path / "other.py")
    assert status == 2
    assert message in err


def test_a_row_after_the_colon_is_no_table(plan):
    status, _, err = plan(config=f"{TINY}:supervised")
    assert status == 2
    assert "cli.table runs all rows; write --rows=supervised instead of ':supervised'" in err


def test_the_command_explains_itself(command):
    status, out, _ = command("table", "--help")
    assert status == 0
    assert "python -m sde_seg_jax.cli.table" in out
    assert "--dry_run" in out.replace("--[no]", "--")


def test_another_score_can_be_shown_beside_which_nothing_is_quoted(plan):
    assert "paper, mIoU %" in plan()[1]
    _, out, _ = plan("--metric=miou_16")
    assert "ours, final mIoU (16 classes) %" in out
    assert "paper" not in out


@pytest.mark.parametrize("name", ["streets_ablation", "streets_adaptation", "streets_selection"])
def test_every_size_that_a_table_offers_has_room_for_the_labels_of_its_runs(name):
    offered = load_module(name).OPTIONS["size"]
    assert "toy" in offered
    for size in offered:
        file = ConfigFile(name, f"size={size}")
        table = read_table(file, "")
        for row in table.rows:
            for labels in table.labels:
                assert file.config(table.argument(row, labels, table.seeds[0])).data.labels in (0, labels)


def test_a_count_of_steps_that_cannot_be_is_refused_and_not_taken_for_a_finished_run(plan):
    status, _, error = plan("--config.train.steps=-1")
    assert status == 2
    assert "config.train.steps=-1: expected a whole number 0 or more" in error
