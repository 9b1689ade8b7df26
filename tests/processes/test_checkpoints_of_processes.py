"""What two processes of two devices have saved comes back bit for bit on any number of devices."""

import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest
import toy_state

import launch
from sde_seg_jax.training.checkpoints import read

EIGHT = "import pickle, sys, toy_state; pickle.dump(toy_state.restored(sys.argv[1], 8), sys.stdout.buffer)"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    launch.together("checkpoint", folder)
    return folder / "run", pickle.loads((folder / "checkpoint").read_bytes())


def assert_same(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b, strict=True), found, expected)


@pytest.mark.parametrize("devices", [1, 2])
def test_it_comes_back_on_one_and_two_devices(saved, devices):
    folder, state = saved
    found = toy_state.restored(folder, devices)
    assert found.step == 7
    assert_same(found, state)
    assert_same(state, jax.tree.map(np.asarray, toy_state.plain(toy_state.state())))


def test_it_comes_back_on_eight_devices(saved):
    folder, state = saved
    run = subprocess.run(
        [sys.executable, "-c", EIGHT, str(folder)], env=launch.environment(8), capture_output=True, check=True
    )
    assert_same(pickle.loads(run.stdout), state)


def test_one_process_reads_a_part_of_it(saved):
    folder, state = saved
    found = read(str(folder), "student")
    assert (found.step, found.config) == (7, toy_state.CONFIG)
    assert_same(found.parts["student"], {"params": state.student.params, "batch_stats": state.student.batch_stats})
