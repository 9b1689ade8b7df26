"""Two processes of two devices compute what one process computes with the same global batch."""

import pickle

import pytest
import toy_tasks
from agreement import BOUND, differences

import launch


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    launch.together("steps", folder)
    return pickle.loads((folder / "steps").read_bytes())


@pytest.mark.parametrize("task", toy_tasks.TASKS)
def test_losses_gradients_statistics_partners_and_draws_are_those_of_one_process(found, task):
    one = toy_tasks.two_steps(task)
    assert one[1]["other logs"]["agreement"] > 0  # mixed images were learnt from
    apart = differences(one, found[task])
    assert set(apart) == {"loss", "gradient norm", "other logs", "parameters", "statistics", "teacher", "optimizer"}
    assert max(apart.values()) <= BOUND, apart  # in float64, for the reason that is given there
