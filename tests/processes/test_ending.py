"""Stopped, failed or killed: all processes end, soon and with one line, and go on as if nothing had been."""

import signal
import time

import jax
import numpy as np
import pytest
import toy_run

import launch
from sde_seg_jax.processes.ending import LOST
from sde_seg_jax.training.checkpoints import read

LOST_SECONDS = 10
PARTS = ("step", "student", "opt_state", "key")


def errors(text):
    """What is on the screen beside the progress bar."""
    return [line for line in text.replace("\r", "\n").splitlines() if line and not line.startswith("train: ")]


def begin(folder, count=2):
    return launch.start("train", folder, count, LOST_SECONDS)


def wait_for(processes, folder, step):
    while toy_run.steps(folder / "run") < step and all(process.poll() is None for process in processes):
        time.sleep(0.01)
    assert all(process.poll() is None for process in processes), "ended before it could be stopped"


def assert_same(a, b):
    one, two = (read(str(folder / "run"), *PARTS) for folder in (a, b))
    assert one.step == two.step == toy_run.STEPS
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y, strict=True), one.parts, two.parts)


def test_stopped_and_killed_and_continued_is_as_undisturbed_bit_for_bit(tmp_path):
    undisturbed, drilled = tmp_path / "undisturbed", tmp_path / "drilled"
    for folder in (undisturbed, drilled):
        folder.mkdir()
    launch.together("train", undisturbed)

    processes = begin(drilled)
    wait_for(processes, drilled, 3)
    processes[1].send_signal(signal.SIGTERM)  # of one: both stop after the same step
    (status, _, told), (other, _, quiet) = launch.finish(processes)
    assert (status, other) == (130, 130), (told, quiet)
    stopped = read(str(drilled / "run"), "step").step
    assert 3 <= stopped == toy_run.steps(drilled / "run") < toy_run.STEPS
    assert errors(told) == [f"stopped after step {stopped} of {toy_run.STEPS}; saved; the same command continues"]
    assert errors(quiet) == []

    processes = begin(drilled)
    wait_for(processes, drilled, stopped + 12)
    processes[1].kill()
    began = time.monotonic()
    (status, _, told), _ = launch.finish(processes)
    assert time.monotonic() - began < 2 * LOST_SECONDS
    assert status == LOST
    (line,) = errors(told)
    assert line.startswith("process 0: error: another process of this task has ended")

    launch.together("train", drilled)
    assert_same(undisturbed, drilled)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "victim"), [(3, 0), (3, 2), (4, 1)])
def test_so_it_is_with_more_processes_and_another_one_killed(tmp_path, count, victim):
    undisturbed, drilled = tmp_path / "undisturbed", tmp_path / "drilled"
    for folder in (undisturbed, drilled):
        folder.mkdir()
    launch.together("train", undisturbed, count=count)
    processes = begin(drilled, count)
    wait_for(processes, drilled, 15)
    processes[victim].kill()
    for index, (status, _, told) in enumerate(launch.finish(processes)):
        if index != victim:
            assert status == LOST
            assert len(errors(told)) == 1
    launch.together("train", drilled, count=count)
    assert_same(undisturbed, drilled)


def test_an_error_of_one_is_told_with_its_number_and_ends_all(tmp_path):
    began = time.monotonic()
    found = launch.finish(launch.start("fails", tmp_path))
    assert time.monotonic() - began < 60  # lost_seconds of the worker: they were told, and did not have to guess
    assert [status for status, _, _ in found] == [2, 2]
    assert errors(found[1][2]) == ["process 1: error: no such file on this machine"]
    reason = "stopped, because process 1 ended: error: no such file on this machine"
    assert errors(found[0][2]) == [f"process 0: error: {reason}"]


@pytest.mark.parametrize("index", [0, 1])
def test_where_the_others_are_missing_a_process_ends_in_time_with_one_line(index):
    address, began = launch.free_address(), time.monotonic()
    meet = (f"--coordinator={address}", "--processes=2", f"--process={index}", "--join_seconds=4")
    with launch.command("-m", "sde_seg_jax.cli.train", *meet) as process:
        status, _, told = launch.finish([process])[0]
    assert time.monotonic() - began < 60  # 4 s, and those that it takes to start
    assert status == 2
    (line,) = errors(told)
    assert line.startswith(f"error: not all of the 2 processes met at {address} within 4 s: start all of them")
