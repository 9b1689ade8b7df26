"""One command a table: it runs what is missing, continues what is unfinished, skips what is done, and prints it."""

import contextlib
import io
import json
import pathlib
import shutil
import statistics

import pytest

from sde_seg_jax.cli import table
from sde_seg_jax.cli.command_line import run
from sde_seg_jax.training.checkpoints import newest_step
from sde_seg_jax.training.loop import Diverged, Interrupted

pytestmark = pytest.mark.whole
ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny" / "table.py"
ROWS = "--rows=supervised,transfer"
RUNS = ("supervised_3_s42", "supervised_3_s43", "transfer_3_s42", "transfer_3_s43")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return f"--config.data.prepared_dir={tmp_path_factory.mktemp('prepared')}"


@pytest.fixture(scope="module")
def call(data):
    """call(workdir, *flags) of cli.table in this process -> (exit status, stdout, stderr)."""

    def call(workdir, *flags, config=TINY):
        flags = (f"--config={config}", data, f"--workdir={workdir}", *flags)
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            status = run(table.main, ["cli.table", *flags], about=table.__doc__, extra=table.flags)
        return status, out.getvalue(), err.getvalue()

    return call


@pytest.fixture(scope="module")
def first(call, tmp_path_factory):
    """(workdir, stdout) of the first call, which has everything to do."""
    workdir = tmp_path_factory.mktemp("first")
    status, out, err = call(workdir, ROWS)
    assert status == 0, err
    return workdir, out


@pytest.fixture
def copy(first, tmp_path):
    """A copy of the finished runs, elsewhere, that may be spoilt."""
    shutil.copytree(first[0], tmp_path / "copy")
    return tmp_path / "copy"


def files(workdir):
    """When each file of the runs was written."""
    return {p: p.stat().st_mtime_ns for p in workdir.rglob("*") if p.is_file() and p.parent != workdir}


def test_the_first_call_plans_runs_the_stage_once_and_before_the_runs_that_need_it(first):
    workdir, out = first
    assert out.startswith("Tiny table: 4 runs\n  stage depth: missing\n  4 missing: supervised_3_s42, transfer_3_s42,")
    order = [line for line in out.splitlines() if " of 5: " in line]
    names = [line.split(": ")[1].partition(",")[0] for line in order]
    assert names == ["supervised_3_s42", "depth", "transfer_3_s42", "supervised_3_s43", "transfer_3_s43"]
    assert order[4].endswith(" left")  # an estimate as soon as something is finished
    for name in RUNS:
        assert json.loads((workdir / name / "metrics.json").read_text())["step"] == 2


def test_the_table_shows_the_runs_numbers_beside_the_papers(first):
    workdir, out = first
    scores = [json.loads((workdir / f"supervised_3_s{s}" / "metrics.json").read_text())["miou"] for s in (42, 43)]
    ours = f"{100 * statistics.mean(scores):.2f} ± {100 * statistics.stdev(scores):.2f} (n=2)"
    line = next(line for line in out.splitlines() if line.startswith("supervised "))
    assert f"12.34 ± 0.56  {ours:>19}" in line
    assert line.endswith("  42, 43")
    assert next(line for line in out.splitlines() if line.startswith("diverges ")).count("not run") == 2
    assert "as quoted in nobody's table" in out
    assert f"| supervised | 12.34 ± 0.56 | {ours}" in (workdir / "table.md").read_text().replace("**", "")
    assert ours in (workdir / "table.html").read_text()


def test_the_json_says_where_every_number_comes_from(first):
    workdir, _ = first
    found = json.loads((workdir / "table.json").read_text())
    one = next(r for r in found["runs"] if (r["row"], r["seed"]) == ("transfer", 43))
    assert one["folder"] == str(workdir / "transfer_3_s43")
    assert (one["step"], one["labels"], one["teacher"], one["failed"]) == (2, 3, None, "")
    assert one["final"] == json.loads((workdir / "transfer_3_s43" / "metrics.json").read_text())["miou"]
    lines = [json.loads(line) for line in (workdir / "transfer_3_s43" / "metrics.jsonl").read_text().splitlines()]
    assert one["best"] == max(line["val/miou"] for line in lines if "val/miou" in line)
    assert found["facts"]["command"].startswith(f"python -m sde_seg_jax.cli.table --config={TINY} --config.data.")


def test_a_second_call_only_prints(first, call):
    workdir, _ = first
    before = files(workdir)
    status, out, _ = call(workdir, ROWS)
    assert status == 0
    assert "stage depth: finished\n  4 finished: supervised_3_s42, transfer_3_s42," in out
    assert " of 5: " not in out
    assert files(workdir) == before


def test_another_split_is_scored_beside_the_validation_split_without_training(copy, call):
    before = {name: (copy / name / "metrics.json").read_text() for name in RUNS}
    status, out, err = call(copy, ROWS, "--split=test", "--against=supervised")
    assert status == 0, err
    assert "4 to evaluate: supervised_3_s42" in out
    assert {name: (copy / name / "metrics.json").read_text() for name in RUNS} == before
    scores = {name: json.loads((copy / name / "metrics_test.json").read_text())["miou"] for name in RUNS}
    found = json.loads((copy / "table.json").read_text())
    assert {r["folder"].rpartition("/")[2]: r["final"] for r in found["runs"] if r["final"]} == scores
    (gain,) = found["gains"]
    differences = [scores[f"transfer_3_s{seed}"] - scores[f"supervised_3_s{seed}"] for seed in (42, 43)]
    assert gain["mean"] == pytest.approx(statistics.mean(differences))
    assert " 0 of 4: " not in call(copy, ROWS, "--split=test", "--against=supervised")[1]


def test_a_run_without_scores_is_evaluated_only(copy, call):
    (copy / "transfer_3_s42" / "metrics.json").unlink()
    shutil.rmtree(copy / "depth")  # no longer needed
    before = files(copy / "transfer_3_s42" / "checkpoints")
    status, out, err = call(copy, ROWS, "--seeds=42")
    assert status == 0, err
    assert "1 to evaluate: transfer_3_s42" in out
    assert "2 steps are done" in out
    assert json.loads((copy / "transfer_3_s42" / "metrics.json").read_text())["step"] == 2
    assert files(copy / "transfer_3_s42" / "checkpoints") == before
    assert not (copy / "depth").exists()


def test_an_unfinished_run_continues_where_its_checkpoint_ends(copy, call):
    run_folder = copy / "supervised_3_s43"
    (run_folder / "metrics.json").unlink()
    shutil.rmtree(run_folder / "checkpoints" / "2")
    status, out, err = call(copy, "--rows=supervised")
    assert status == 0, err
    assert "1 to resume at step 1 of 2: supervised_3_s43" in out
    assert "continuing at step 1" in out
    assert newest_step(str(run_folder)) == 2


def test_weights_brought_along_stand_for_a_stage(copy, call):
    for name in ("config.json", "metrics.json"):
        (copy / "depth" / name).unlink()
    shutil.rmtree(copy / "transfer_3_s42")
    status, out, _ = call(copy, "--rows=transfer", "--dry_run", "--config.train.eval_every=1")
    assert status == 0
    assert "stage depth: brought along\n  1 missing: transfer_3_s42\n  1 finished: transfer_3_s43" in out


def test_the_table_also_shows_what_was_run_before_and_is_not_asked_for_now(first, call):
    status, out, _ = call(first[0], "--rows=supervised", "--seeds=42", "--dry_run")
    assert status == 0
    assert out.startswith("Tiny table: 1 run\n")
    assert next(line for line in out.splitlines() if line.startswith("transfer ")).endswith("42, 43")


def test_a_metric_that_runs_were_not_scored_in_is_refused(first, call, tmp_path):
    folder = f"pathlib.Path({str(TINY.parent)!r})"
    text = TINY.read_text().replace("pathlib.Path(__file__).resolve().parent", folder)
    text = text.replace("tests/tiny/config.py", str(TINY.parent / "config.py")).replace('"miou"', '"mio"')
    (tmp_path / "other.py").write_text(text)
    status, _, err = call(first[0], ROWS, "--dry_run", config=tmp_path / "other.py")
    assert status == 2
    assert "metrics.json has no 'mio'; METRIC may be one of step, miou" in err


def test_runs_of_another_configuration_are_refused_or_left_out(first, call):
    workdir, _ = first
    change = "--config.optim.momentum=0.5"
    status, _, err = call(workdir, ROWS, change, "--dry_run")
    assert status == 2
    assert "supervised_3_s42 was begun with another configuration (config.optim.momentum differs: 0.9 then, 0.5" in err
    status, out, _ = call(workdir, "--rows=diverges", change, "--dry_run")
    assert status == 0
    assert out.count("left out: ") == len(RUNS)
    assert out.count("not run") == 2 * 3


def test_data_may_move_and_evaluations_may_be_made_more_often(first, call):
    moved = ("--config.data.raw_dir=/elsewhere", "--config.train.eval_every=2")
    status, out, _ = call(first[0], ROWS, *moved, "--dry_run")
    assert status == 0
    assert "4 finished" in out


def test_a_run_that_diverges_does_not_stop_the_others(copy, call):
    (copy / "supervised_3_s42" / "metrics.json").unlink()
    status, out, err = call(copy, "--rows=diverges,supervised", "--seeds=42")
    assert status == 1
    assert "supervised_3_s42: evaluating" in out  # after the failure
    line = next(line for line in out.splitlines() if line.startswith("diverges "))
    assert "failed: the loss is" in line
    assert line.endswith("42 failed")
    assert err.splitlines()[-1].startswith(f"failed: {copy / 'diverges_3_s42'}: the same command tries again")
    status, out, _ = call(copy, "--rows=diverges", "--seeds=42", "--dry_run")
    assert status == 0
    assert "1 failed at step 1 of 2, to try again: diverges_3_s42" in out
    assert "42 failed" in out


def test_a_failed_stage_fails_the_runs_that_need_it_and_no_others(call, made, tmp_path):
    names = made(depth=Diverged("depth collapsed: try another seed"))
    status, out, err = call(tmp_path, ROWS)
    assert status == 1
    assert names == ["supervised_3_s42", "depth", "supervised_3_s43"]
    assert next(line for line in out.splitlines() if line.startswith("transfer ")).count("failed: stage depth") == 2
    assert err.splitlines()[-1].startswith(f"failed: {tmp_path / 'depth'}, {tmp_path / 'transfer_3_s42'}, ")


def test_an_interruption_stops_everything_at_once(call, made, tmp_path):
    names = made(depth=Interrupted("stopped after step 1 of 4; saved; the same command continues"))
    status, _, err = call(tmp_path, ROWS)
    assert status == 130
    assert names == ["supervised_3_s42", "depth"]
    assert err.endswith("stopped after step 1 of 4; saved; the same command continues\n")


def test_training_alone_continues_longer_but_not_with_another_configuration(copy, command, data):
    flags = ("train", f"--config={TINY}:supervised,labels=3,seed=42", data, f"--workdir={copy / 'supervised_3_s42'}")
    status, _, err = command(*flags, "--config.optim.momentum=0.5", "--config.train.steps=3")
    assert status == 2
    assert "was begun with another configuration (config.optim.momentum differs: 0.9 then, 0.5 now)" in err
    assert "only these keys may change: train.steps, " in err
    status, out, err = command(*flags, "--config.train.steps=3", "--config.train.log_every=3")
    assert status == 0, err
    assert "continuing at step 2" in out
    assert newest_step(str(copy / "supervised_3_s42")) == 3
