"""The drill of several processes, on a command of its own: who ends wrongly is counted."""

import argparse
import subprocess
import sys

import process_drill
import pytest

# ends by itself after 0.2 s, as one of several does whose neighbor was killed
ENDS = "import sys, time; time.sleep(0.2); print('process 0: error: another process'); sys.exit({status})"
OPTIONS = {"processes": 2, "devices": 1, "seed": 1, "task": "supervised", "lost_seconds": 1, "flags": []}


class Drill(process_drill.Drill):
    """The first process ends with a status; the other one waits to be killed."""

    def start(self, workdir):
        codes = ENDS.format(status=self.status), "import time; time.sleep(60)"
        with self.log(0).open("w") as log:
            return [subprocess.Popen([sys.executable, "-c", code], stdout=log) for code in codes]


def drill(tmp_path, status, name="KILL"):
    found = Drill(tmp_path, argparse.Namespace(**OPTIONS, signal=name))
    found.status, found.rng.randrange, found.rng.uniform = status, lambda count: 1, lambda low, high: 0.01
    assert found.kill(tmp_path / "run", seconds=1)
    return found.counts


@pytest.mark.parametrize(("status", "unclear"), [(75, 0), (1, 1), (-6, 1)])
def test_a_process_that_ends_with_another_status_is_counted(tmp_path, status, unclear):
    code = status if status >= 0 else f"__import__('os').kill(__import__('os').getpid(), {-status})"
    counts = drill(tmp_path, code)
    assert (counts.unclear, counts.hanging) == (unclear, 0)
    assert 0 < counts.slowest < process_drill.LATE


def test_a_process_that_goes_on_is_counted_and_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(process_drill, "LATE", 0)
    counts = drill(tmp_path, "time.sleep(60)")
    assert (counts.hanging, counts.unclear) == (1, 0)


def test_two_lines_of_errors_are_no_clear_end(tmp_path):
    found = process_drill.Drill(tmp_path, argparse.Namespace(**OPTIONS, signal="KILL"))
    found.log(0).write_text("error: one\nprocess 0: error: two\n")
    assert not found.clear(tmp_path, 0, process_drill.LOST)
    found.log(0).write_text("process 0: error: two\n")
    assert found.clear(tmp_path, 0, process_drill.LOST)
    assert not found.clear(tmp_path, 0, 2)


@pytest.mark.parametrize("ended", [True, False])
def test_an_end_without_an_error_is_right_only_if_all_was_done_before_the_kill(tmp_path, monkeypatch, ended):
    found = process_drill.Drill(tmp_path, argparse.Namespace(**OPTIONS, signal="KILL"))
    found.log(0).write_text("train: 100%")
    monkeypatch.setattr(process_drill, "digest_of_run", lambda folder: found.digest if ended else "step 4")
    assert found.clear(tmp_path, 0, 0) is ended
