"""The steps of a selection: how many labels after each, how long a student learns."""

import dataclasses

import numpy as np
import pytest

from sde_seg_jax.data.reading.memory import MemorySource
from sde_seg_jax.experiment.config import UsageError, load_config
from sde_seg_jax.experiment.scan import scan, scan_part
from sde_seg_jax.experiment.selection.plan import make_plan
from sde_seg_jax.experiment.selection.scores import teacher_disparity
from sde_seg_jax.experiment.selection.select import check_selection
from sde_seg_jax.experiment.selection.work import Work, student_config
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.part import Part


@pytest.fixture
def config():
    return load_config("tests/tiny/config.py", "selection")


@pytest.fixture
def plan(config):
    return make_plan(**config.select.to_dict() | {"steps": (25, 50, 100, 200), "student_steps": (4, 8, 12)})


def test_without_labels_every_step_is_taken(plan):
    assert plan.counts(0, 300, "train") == (25, 50, 100, 200)
    assert dataclasses.replace(plan, single=True).counts(0, 300, "train") == (25, 200)


def test_labels_that_exist_are_the_first_step(plan):
    assert plan.counts(30, 300, "train") == (30, 50, 100, 200)
    assert plan.counts(50, 300, "train") == (50, 100, 200)
    with pytest.raises(UsageError, match="give the number of labels to reach"):
        plan.counts(200, 300, "train")


def test_a_student_learns_as_long_as_at_the_last_step_not_above(plan):
    assert [plan.training_steps(labels) for labels in (10, 25, 49, 50, 100, 199, 200)] == [4, 4, 4, 8, 12, 12, 12]


def test_a_student_is_the_configuration_with_its_list_and_length(config, plan):
    student = student_config(config, plan, 50)
    assert "select" not in student
    assert (student.data.label_file, student.train.steps, student.schedule.steps) == ("@00050.txt", 8, 0)
    assert config.data.label_file == ""


def test_the_task_must_be_the_one_that_the_criterion_trains(config):
    config.select.criterion = "entropy"
    with pytest.raises(UsageError, match="criterion entropy trains task 'supervised'"):
        check_selection(config)
    with config.unlocked():
        del config["select"]
    with pytest.raises(UsageError, match="no section select"):
        check_selection(config)


def examples(count, labeled=True):
    image = np.zeros((2, 2, 3), np.uint8)
    return [
        {"image": image + i, "intrinsics": np.ones(4, np.float32), "name": f"s{i}", "labeled": labeled}
        for i in range(count)
    ]


def test_entropy_asks_for_labels_by_name(config, plan, tmp_path):
    source = MemorySource(examples(3, labeled=False), CITYSCAPES)
    work = Work(config, dataclasses.replace(plan, criterion="entropy"), tmp_path, source, source.names, None)
    with pytest.raises(UsageError, match="2 have none, the first is 's2': label them"):
        work.student([2, 0])


def test_a_cached_disparity_is_taken_as_it_is():
    cached = np.random.default_rng(0).random((1, 2, 2), np.float32)
    columns = {"image": np.zeros((1, 2, 2, 3), np.uint8), "disparity": cached}
    np.testing.assert_array_equal(teacher_disparity(None)(None, columns), cached)


def test_a_scan_computes_only_the_blocks_that_are_missing(tmp_path):
    source, seen = MemorySource(examples(7), CITYSCAPES), []

    def function(variables, columns):
        seen.append(np.asarray(columns["image"])[:, 0, 0, 0].tolist())
        return variables + np.asarray(columns["image"], np.float32).mean(axis=(1, 2, 3))

    def run():
        options = {"batch_size": 2, "block": 4}
        return scan(source, [6, 5, 4, 3, 2, 1, 0], function, np.float32(10), tmp_path, **options)

    np.testing.assert_array_equal(run(), np.arange(16, 9, -1))
    assert seen == [[6, 5], [4, 3], [2, 1], [0, 0]]  # the last batch is filled up with its last sample
    (tmp_path / "00000004.npy").unlink()
    np.testing.assert_array_equal(run(), np.arange(16, 9, -1))
    assert seen[4:] == [[2, 1], [0, 0]]


def test_a_scan_in_parts_finds_the_same(tmp_path):
    source = MemorySource(examples(7), CITYSCAPES)
    options = {"batch_size": 2, "block": 2}

    def function(variables, columns):
        return variables * np.asarray(columns["image"], np.float32).mean(axis=(1, 2, 3))

    def part(number, variables=np.float32(3)):
        return scan_part(Part(number, 3), source, range(7), function, variables, tmp_path / "parts", **options)

    assert [path.is_file() for path in part(3)] == [False, False, True, False]
    part(1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    assert len(before) == 3
    part(1, None)  # nothing is left for it: the function would fail
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert all(path.is_file() for path in part(2))
    found = scan(source, range(7), None, None, tmp_path / "parts", **options)
    np.testing.assert_array_equal(found, scan(source, range(7), function, np.float32(3), tmp_path / "one", **options))


def test_a_scan_of_other_samples_in_its_folder_is_refused(tmp_path):
    source = MemorySource(examples(3), CITYSCAPES)
    np.save(tmp_path / "00000000.npy", np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="holds 2 rows, 3 are expected: delete it"):
        scan(source, [0, 1, 2], None, None, tmp_path, batch_size=2)
