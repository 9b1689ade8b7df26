"""Every task at the size of the benchmarks: 2 and 4 processes of two devices against one process, in float64."""

import pickle

import jax
import pytest
from agreement import BOUND, differences, exact_case, mesh_of, mixes_on, pixels_apart, steps_on
from cases import SETTINGS, TASKS

import launch


@pytest.mark.whole
@pytest.mark.parametrize(
    ("task", "count"), [*((task, 2) for task in TASKS), ("multitask", 4), ("domain_adaptation", 4)]
)
def test_every_task_trains_and_mixes_as_one_process_does(tmp_path, task, count):
    (tmp_path / "task").write_text(task)
    launch.together("exact", tmp_path, count)
    steps, mixes = pickle.loads((tmp_path / "exact").read_bytes())
    with jax.enable_x64(True):
        case = exact_case(task, SETTINGS["tiny"], 4)
        one, mixed = steps_on(case, mesh_of(1), 2), mixes_on(case, mesh_of(1))
    apart = differences(one, steps)
    assert max(value for value in apart.values() if value is not None) <= BOUND, apart
    assert not pixels_apart(mixed, mixes)
