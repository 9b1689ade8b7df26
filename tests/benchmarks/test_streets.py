"""The street benchmark times what the data set renders, and its sums are right."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import streets
from streets import Done

from sde_seg_jax.data.datasets import street_scenes

SCRIPT = pathlib.Path(streets.__file__)
SIZE = (16, 32)
MODULE = """
import helper

def outer():
    helper.work()
    total = sum(inner() for _ in range(3))
    try:
        fails()
    except ValueError:
        pass
    return total

def inner():
    for _ in range(20_000):
        pass
    return 1

def fails():
    raise ValueError
"""
HELPER = """
def work():
    for _ in range(400_000):
        pass
"""


def test_what_is_timed_is_a_sample_of_the_data_set():
    items = street_scenes.items("train", None, problems=None, domain="target", seed=0, counts={"train": 4})
    timed, stored = streets.sample(3, SIZE), street_scenes.load(items[3], SIZE)
    for field in ("image", "neighbors", "label", "depth", "pose"):
        np.testing.assert_array_equal(timed[field], stored[field])
    assert timed["neighbors"].shape[0] + 1 == streets.FRAMES


def test_rates_of_processes_add_up_from_when_all_have_begun():
    quick = [Done(1, end, busy) for end, busy in ((0.0, 5.0), (1.0, 5.5), (2.0, 6.0), (3.0, 6.5))]
    late = [Done(2, end, busy) for end, busy in ((1.0, 2.0), (3.0, 3.0))]
    found = streets.rates([*quick, *late])
    assert found["processes"] == 2
    assert found["frames"] == 3 * (2 + 1)  # of process 1 from second 1 on
    assert found["frames_per_second"] == pytest.approx(3 * (1 + 1 / 2))
    assert found["processor_seconds_per_frame"] == pytest.approx((1.0 + 1.0) / 9)


def test_time_outside_of_a_folder_is_its_callers(tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "worker.py").write_text(MODULE)
    (tmp_path / "helper.py").write_text(HELPER)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.spec_from_file_location("worker", inside / "worker.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    times = streets.own_times(module.outer, str(inside))
    assert set(times) == {"worker.outer", "worker.inner", "worker.fails"}
    # 400,000 turns of the loop elsewhere, that is of outer, against 60,000 of inner's own
    assert times["worker.outer"] > times["worker.inner"] > times["worker.fails"]
    assert sys.getprofile() is None


def test_shares_are_of_the_whole_and_come_in_order():
    rows = streets.shares(SIZE, 4)
    assert len(rows) == 5
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert [row["share"] for row in rows[:4]] == sorted((row["share"] for row in rows[:4]), reverse=True)
    assert rows[-1]["function"].endswith("others")


def test_the_command_needs_no_tensorflow_and_writes_what_it_found(tmp_path):
    output = tmp_path / "streets.json"
    arguments = ["--sizes", "16x32", "--seconds", "0.2", "--processes", "1", "--output", str(output)]
    code = f"""
import runpy, sys
sys.argv = [{str(SCRIPT)!r}, *{arguments!r}]
sys.path.insert(0, {str(SCRIPT.parent)!r})
sys.modules.update(dict.fromkeys(["tensorflow", "tensorflow_datasets", "cv2", "PIL", "ml_collections"]))
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "| 16x32 " in run.stdout
    found = json.loads(output.read_text())
    (speed,) = found["speed"]
    assert speed["size"] == [16, 32]
    assert speed["processes"] == 1
    assert speed["frames"] >= 3 * 3
    assert speed["frames_per_second"] > 0
    assert len(found["shares"]) == 6
