"""Commands by two processes: the files that one process writes, and one voice."""

import json
import pathlib
import shutil
import signal
import sys
import time

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "processes"))
import launch
from sde_seg_jax.processes.ending import LOST

pytestmark = pytest.mark.slow


def two(name, *flags):
    """What the first process printed; the second says nothing."""
    meet = (f"--coordinator={launch.free_address()}", "--processes=2")
    words = ("-m", f"sde_seg_jax.cli.{name}", *flags, *meet)
    (first, out, told), (second, quiet, silent) = launch.finish(
        [launch.command(*words, f"--process={index}") for index in range(2)]
    )
    assert (first, second) == (0, 0), told + silent
    assert quiet == ""
    assert "error:" not in silent
    assert "img/s" not in silent  # no bar
    assert "[Gloo]" not in out
    return out


def test_evaluate_gives_the_scores_of_one_process_to_the_last_digit(runs, prepared, command, tmp_path):
    flags = (f"--checkpoint={runs / 'semi_supervised'}", prepared)
    out = two("evaluate", *flags, f"--workdir={tmp_path / 'two'}")
    assert command("evaluate", *flags, f"--workdir={tmp_path / 'one'}")[0] == 0
    scores = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert scores == json.loads((tmp_path / "one" / "metrics.json").read_text())
    assert json.loads(out.splitlines()[-1]) == scores
    assert (tmp_path / "two" / "pictures" / "segmentation.png").is_file()


def test_each_process_caches_shards_of_its_own(runs, shared, tiny, command, tmp_path):
    shutil.copytree(shared / "prepared", tmp_path / "prepared")
    flags = (tiny("depth"), f"--config.data.prepared_dir={tmp_path / 'prepared'}", f"--checkpoint={runs / 'depth'}")
    flags = (*flags, "--shard_size=1", "--splits=train")
    assert "6 disparities written" in two("cache_depth", *flags, "--config.data.depth_cache=two")
    assert "6 disparities are in" in two("cache_depth", *flags, "--config.data.depth_cache=two")
    assert command("cache_depth", *flags, "--config.data.depth_cache=one")[0] == 0
    (one,), (other,) = (list((tmp_path / "prepared").rglob(f"disparity/{name}/train")) for name in ("one", "two"))
    files = sorted(path.name for path in one.iterdir())
    assert len([name for name in files if name.endswith(".array_record")]) == 6
    assert files == sorted(path.name for path in other.iterdir())
    for name in files:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_two_train_and_go_on_as_one_process_with_the_same_batches(runs, prepared, tiny, command, tmp_path):
    flags = ("--config.train.picture_every=2", "--config.train.eval_every=2", "--config.data.batch_size=4")
    train = (tiny("supervised"), prepared, *flags, f"--workdir={tmp_path}")
    out = two("train", *train, "--config.train.steps=2")
    assert "on 4 of 4 cpu device(s) of 2 processes" in out
    status, out, err = command("train", *train, "--config.train.steps=4")  # by one process of two devices
    assert status == 0, err
    assert "continuing at step 2" in out
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in lines if "val/miou" in line] == [2, 4]
    assert (tmp_path / "pictures" / "training_prediction.png").is_file()


def test_two_select_what_one_process_selects(runs, prepared, tiny, command, tmp_path):
    short = ("--config.select.steps=(2,3)", "--config.select.student_steps=(2,)")  # one student
    flags = (tiny("selection"), prepared, f"--checkpoint={runs / 'depth'}", *short)
    out = two("select", *flags, f"--workdir={tmp_path / 'two'}", "--export=folder")
    assert "on 2 of 4 cpu device(s) of 2 processes" in out  # the students, in batches of 2
    assert out.count("samples chosen: ") == 1
    assert command("select", *flags, f"--workdir={tmp_path / 'one'}", "--export=folder")[0] == 0
    for name in ("labels.txt", "facts.json", "students/00002.txt"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name
    one, other = ({str(p.relative_to(tmp_path / w)) for p in (tmp_path / w).rglob("*")} for w in ("one", "two"))
    assert {name for name in one ^ other if "/checkpoints/" not in name and "tfevents" not in name} == set()
    (file,) = (tmp_path / "two" / "features").iterdir()
    np.testing.assert_array_equal(np.load(file), np.load(tmp_path / "one" / "features" / file.name))
    assert "3 samples are chosen" in two("select", *flags, f"--workdir={tmp_path / 'two'}")


@pytest.mark.whole  # two minutes of one core
def test_a_selection_that_loses_a_process_ends_with_a_line_and_goes_on_when_it_is_given_again(
    runs, prepared, tiny, command, tmp_path
):
    short = ("--config.select.steps=(2,3)", "--config.select.student_steps=(2,)")
    flags = (tiny("selection"), prepared, f"--checkpoint={runs / 'depth'}", *short)
    words = ("-m", "sde_seg_jax.cli.select", *flags, f"--workdir={tmp_path / 'two'}")
    meet = (f"--coordinator={launch.free_address()}", "--processes=2", "--lost_seconds=10")
    processes = [launch.command(*words, *meet, f"--process={index}") for index in range(2)]
    late = time.monotonic() + launch.SEEN
    while not (tmp_path / "two" / "students").is_dir() and processes[0].poll() is None and time.monotonic() < late:
        time.sleep(0.1)
    processes[1].kill()
    killed = time.monotonic()
    (status, _, told), (lost, _, _) = launch.finish(processes)
    assert (status, lost) == (LOST, -signal.SIGKILL), told
    assert time.monotonic() - killed < 60
    assert told.splitlines()[-1].startswith("process 0: error: "), told
    two("select", *flags, f"--workdir={tmp_path / 'two'}")
    assert command("select", *flags, f"--workdir={tmp_path / 'one'}")[0] == 0
    for name in ("labels.txt", "facts.json"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name


def test_parts_and_processes_exclude_each_other(prepared, tiny, tmp_path):
    words = ("-m", "sde_seg_jax.cli.select", tiny("selection"), prepared, "--part=1/2", f"--workdir={tmp_path}")
    meet = (f"--coordinator={launch.free_address()}", "--processes=2")
    for status, _, told in launch.finish([launch.command(*words, *meet, f"--process={i}") for i in range(2)]):
        assert status == 2
        assert "--part is for machines that know nothing of each other" in told


def test_an_unequal_share_is_refused_with_one_line_a_process(prepared, tiny, tmp_path):
    words = ("-m", "sde_seg_jax.cli.train", tiny("supervised"), prepared, "--config.data.batch_size=3")
    meet = (f"--workdir={tmp_path}", f"--coordinator={launch.free_address()}", "--processes=2")
    found = launch.finish([launch.command(*words, *meet, f"--process={index}") for index in range(2)])
    for index, (status, _, told) in enumerate(found):
        assert status == 2
        assert f"process {index}: " in told.splitlines()[-1]
        assert "a batch of 3 images cannot be split over 2 processes" in told.splitlines()[-1]
