"""Prepared data far away: read file by file as they are needed, kept here within a bound."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

import fsspec
import numpy as np
import pytest
from tiny_files import COUNT, SIZE, SPEC

from sde_seg_jax.data.inspecting.inspect_prepared import inspect_prepared
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.stored import far_files, far_shards

FAR = "memory://bucket/data"
SHARD = 131072  # bytes of a file of this data set: two blocks of ArrayRecord


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """The same data on this machine."""
    folder = tmp_path_factory.mktemp("near")
    prepare(SPEC, prepared_dir=folder / "out", size=SIZE, workers=1, folder=str(folder))
    return folder / "out"


@pytest.fixture
def memory(monkeypatch, tmp_path, near):
    """They lie in memory; `fetched` lists what was copied from there."""
    monkeypatch.setenv("SDE_SEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(far_files.LIMIT, raising=False)
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.put(str(near) + "/", "/bucket/data/", recursive=True)
    system.fetched, get_file = [], type(system).get_file

    def counted(self, there, here, **options):
        system.fetched.append(pathlib.PurePosixPath(there).name)
        return get_file(self, there, here, **options)

    monkeypatch.setattr(type(system), "get_file", counted)
    yield system
    system.store.clear()


def shards(names):
    return [name for name in names if ".array_record-" in name]


def kept(tmp_path):
    """Copies of large files that lie on this machine."""
    return sorted(path.name for path in (tmp_path / "cache").glob("*/*/*array_record*") if path.suffix != ".lock")


def same(near, source, indices):
    with_us = open_source(SPEC, near, source.split)
    for index in indices:
        for key, value in with_us.read(index).items():
            np.testing.assert_array_equal(source.read(index)[key], value)


def test_only_the_files_that_are_read_are_copied_and_once(memory, near, tmp_path):
    source = open_source(SPEC, FAR, "train")
    assert shards(memory.fetched) == []
    same(near, source, [0, 7, 39, 8])
    assert shards(memory.fetched) == [f"tiny_files-train.array_record-{i:05d}-of-00005" for i in (0, 4, 1)]
    memory.fetched.clear()
    same(near, open_source(SPEC, FAR, "train"), [1, 9])
    assert memory.fetched == []
    assert len(kept(tmp_path)) == 3


def test_copies_stay_within_the_bound_and_the_least_recently_used_go_first(memory, near, tmp_path, monkeypatch):
    monkeypatch.setenv(far_files.LIMIT, str(3.5 * SHARD / 1e9))
    monkeypatch.setattr(far_files, "TOUCHED", 0.0)
    source = open_source(SPEC, FAR, "train")
    for index in (0, 8, 16, 0, 24):  # the files 0, 1, 2, 0 again, 3
        same(near, source, [index])
    assert [int(name[-14:-9]) for name in kept(tmp_path)] == [0, 2, 3]
    same(near, source, range(COUNT))
    assert len(kept(tmp_path)) == 3
    same(near, open_source(SPEC, FAR, "val"), range(COUNT))  # of another split: one bound for all
    assert len(kept(tmp_path)) == 3


def test_files_that_were_deleted_are_not_held_open(memory, near, tmp_path, monkeypatch):
    monkeypatch.setenv(far_files.LIMIT, str(1.5 * SHARD / 1e9))
    source = open_source(SPEC, FAR, "train")
    same(near, source, range(COUNT))
    held = [
        os.readlink(f"/proc/self/fd/{number}")
        for number in os.listdir("/proc/self/fd")
        if number.isdigit() and os.path.islink(f"/proc/self/fd/{number}")
    ]
    assert [name for name in held if str(tmp_path) in name and "(deleted)" in name] == []
    assert len(kept(tmp_path)) == 1


def test_a_copy_that_another_process_deleted_comes_again(memory, near, tmp_path, monkeypatch):
    monkeypatch.setattr(far_shards, "OPEN", 1)
    source = open_source(SPEC, FAR, "train")
    same(near, source, [0, 8])
    for path in (tmp_path / "cache").glob("*/*/*array_record*"):
        path.unlink()
    same(near, source, [0, 8, 0])


def test_many_threads_copy_a_file_once_and_read_the_same(memory, near):
    source = open_source(SPEC, FAR, "train")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.read, [*range(COUNT)] * 2))
    assert [example["name"] for example in found] == source.names * 2
    assert len(shards(memory.fetched)) == len({*shards(memory.fetched)}) == 5


def test_processes_share_the_copies(near, tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tiny_files import SPEC\n"
        "from sde_seg_jax.data.reading.source import open_source\n"
        "source = open_source(SPEC, sys.argv[2], 'train')\n"
        "print(*(source.read(i)['name'] for i in range(len(source))))"
    )
    environment = {**os.environ, "SDE_SEG_CACHE": str(tmp_path), far_files.LIMIT: str(1.5 * SHARD / 1e9)}
    # "local" is a kind of address, too: what lies there counts as far away
    call = [sys.executable, "-c", script, str(pathlib.Path(__file__).parent), f"local://{near}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = [subprocess.Popen(call, env=environment, text=True, **pipes) for _ in range(3)]
    ended = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 3, [err[-500:] for _, err in ended]
    found = [out.split() for out, _ in ended]
    assert found == [[f"train_{index:03d}" for index in range(COUNT)]] * 3
    assert not list(tmp_path.glob("*/*/*.partial"))


def test_a_copy_that_breaks_off_is_one_line_and_leaves_nothing(memory, tmp_path, monkeypatch):
    source = open_source(SPEC, FAR, "train")

    def cut(self, there, here, **options):
        pathlib.Path(here).write_bytes(b"half")

    whole = type(memory).get_file
    monkeypatch.setattr(type(memory), "get_file", cut)
    message = rf"^'{FAR}/tiny_files/1.0.0/tiny_files-train.array_record-00000-of-00005' came with 4 of \d+ bytes"
    with pytest.raises(ValueError, match=message):
        source.read(0)
    assert kept(tmp_path) == []
    monkeypatch.setattr(type(memory), "get_file", whole)
    memory.rm("/bucket/data/tiny_files/1.0.0/tiny_files-train.array_record-00001-of-00005")
    with pytest.raises(ValueError, match=r"^'memory://.*-00001-of-00005' cannot be read or written \(.*check address"):
        source.read(8)


def test_a_damaged_file_is_named_with_its_address(memory):
    file = "/bucket/data/tiny_files/1.0.0/tiny_files-train.array_record-00000-of-00005"
    memory.pipe_file(file, bytes(SHARD))
    with pytest.raises(ValueError, match=rf"^'memory:/{file}' is damaged \(.*\); delete that folder and prepare again"):
        open_source(SPEC, FAR, "train").read(0)


@pytest.mark.parametrize("text", ["0", "-1", "many", "nan"])
def test_a_bound_that_is_none_is_one_line(memory, monkeypatch, text):
    monkeypatch.setenv(far_files.LIMIT, text)
    with pytest.raises(ValueError, match=f"^SDE_SEG_CACHE_GB={text} is no number of gigabytes above 0"):
        open_source(SPEC, FAR, "train")


def test_new_data_at_the_same_address_are_not_taken_for_the_old(memory, near, tmp_path):
    open_source(SPEC, FAR, "train").read(0)
    memory.rm("/bucket/data", recursive=True)
    prepare(SPEC, prepared_dir=FAR, size=SIZE, workers=1, folder=str(near.parent), count=16)
    assert len(open_source(SPEC, FAR, "train")) == 16
    assert open_source(SPEC, FAR, "train").read(15)["name"] == "train_015"


def test_the_doctor_looks_at_far_data(memory):
    found = inspect_prepared(SPEC, FAR, samples=4, shown=0, workers=1)
    assert [split.count for split in found.splits] == [COUNT, COUNT]
    assert found.problems == []
