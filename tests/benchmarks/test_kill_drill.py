"""The drill of kills, on commands of its own: what goes on rightly is the same, what does not is counted."""

import sys

import kill_drill
import pytest

# counts to 30 in a file that is replaced whole; `starts` is what an interruption leaves a trace of
COUNTER = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1].removeprefix("--workdir="))
folder.mkdir(parents=True, exist_ok=True)
state = folder / "state"
with (folder / "starts").open("a") as file:
    file.write("x")
while (number := int(state.read_text()) if state.is_file() else 0) < 30:
    time.sleep(0.02)
    (folder / "new").write_text(str(number + 1))
    os.replace(folder / "new", state)
"""


def case(name, digest):
    return kill_drill.Case(name, [sys.executable, "-c", COUNTER], digest, lambda f: (f / "state").is_file())


def drill(tmp_path, one):
    found = kill_drill.Drill(tmp_path, seed=0)
    kill_drill.run(found, [one], [one], kills=6, minutes=1)
    return found.counts[one.name]


def test_what_goes_on_where_it_stopped_is_the_same(tmp_path):
    counts = drill(tmp_path, case("good", lambda folder: (folder / "state").read_text()))
    assert (counts.kills, counts.different) == (6, 0)
    assert 2 <= counts.runs <= 6
    assert counts.early <= 6
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["good", "good.json"]


def test_a_drill_that_was_stopped_goes_on_and_counts_on(tmp_path):
    one = case("good", lambda folder: (folder / "state").read_text())
    for kills in (2, 4):
        found = kill_drill.Drill(tmp_path, seed=0)
        kill_drill.run(found, [one], [one], kills=kills, minutes=1)
    assert found.counts["good"].kills == 4
    at_once = kill_drill.Drill(tmp_path, seed=1)
    kill_drill.run(at_once, [one], [one], kills=2, minutes=1)
    assert at_once.counts["good"].kills == 2  # another seed counts for itself


def test_what_an_interruption_changes_is_counted_and_kept(tmp_path, capsys):
    counts = drill(tmp_path, case("bad", lambda folder: (folder / "starts").read_text()))
    assert counts.kills == 6
    assert 1 <= counts.different <= counts.runs
    assert "bad_killed0_0" in [path.name for path in (tmp_path / "runs").iterdir()]
    head, _, one, total = kill_drill.table({"bad": counts}).splitlines()
    assert head == "| case | kills | before the first step | nothing compiled | runs | different |"
    assert one.removeprefix("| bad") == total.removeprefix("| all")


def test_a_command_that_cannot_be_undisturbed_is_an_error(tmp_path):
    one = kill_drill.Case("ends", [sys.executable, "-c", "raise SystemExit('no')"], str, str)
    with pytest.raises(RuntimeError, match=r"ends in .* ended with 1: no"):
        kill_drill.Drill(tmp_path, seed=0).learn(one)


def test_every_task_and_a_selection_are_drilled(tmp_path):
    import pkgutil

    from sde_seg_jax import tasks

    names = set(kill_drill.cases(tmp_path))
    helpers = {"loss_terms", "forward", "known_disparity", "motion", "options", "pictures", "task", "teacher", "views"}
    known = {module.name for module in pkgutil.iter_modules(tasks.__path__)} - {*helpers, "domain_mixing"}
    assert known <= names
    assert {"select", "select_entropy"} <= names
    assert {*kill_drill.NEEDED} <= names
