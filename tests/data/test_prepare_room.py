"""How much room prepared data need, what happens when there is none, and far file systems."""

import errno
import os
import pathlib
import re
import resource
import shutil
import signal

import fsspec
import numpy as np
import pytest
from tiny_files import COUNT, SIZE, SPEC

from sde_seg_jax.data.preparing import shards
from sde_seg_jax.data.preparing.prepare import estimate, prepare
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.stored import remote
from sde_seg_jax.reporter import Collected


@pytest.fixture
def arguments(tmp_path, faults):
    return {"size": SIZE, "workers": 1, "folder": str(faults), "prepared_dir": tmp_path / "out"}


@pytest.fixture
def memory(monkeypatch, tmp_path):
    """A fresh file system in memory; copies of what is on it go below tmp_path."""
    monkeypatch.setenv("SDE_SEG_CACHE", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def make(arguments, **options):
    told = Collected()
    return prepare(SPEC, **{"reporter": told} | arguments | options), told.lines


def test_the_estimate_is_told_and_close_and_writes_nothing(arguments, tmp_path, faults):
    told = Collected()
    size = estimate(SPEC, **arguments, reporter=told)
    assert not (tmp_path / "out").exists()
    assert len((faults / "loads").read_text().split()) == 16
    folder, again = make(arguments)
    pattern = r"needs about [\d.]+ [kM]B \(40\+40 samples, from 16 samples\), free: [\d.]+ [GTM]B"
    assert re.fullmatch(pattern, told.lines[0])
    assert re.fullmatch(pattern, again[0])
    data = sum(path.stat().st_size for path in pathlib.Path(folder).glob("*array_record*"))
    assert abs(size / data - 1) < 0.35  # tiny records in files of whole 64 KB blocks; real data: about 2 %
    assert estimate(SPEC, **arguments, reporter=told) == 0
    assert told.lines[-1] == f"needs nothing: '{folder}' is prepared"


def test_too_little_room_is_refused_before_anything_is_written(arguments, tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    with pytest.raises(
        ValueError, match=r"^'tiny_files' needs about .* but '.*' has 1 kB free; free disk space, prepare"
    ):
        make(arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_half_way_is_one_line_and_the_call_continues(arguments, monkeypatch, tmp_path, number):
    class Full(shards.ArrayRecordWriter):
        """Reports as the C++ writer does."""

        def write(self, record):
            if "val" in path[0] and "00002-of" in path[0]:
                raise RuntimeError(f"write() failed: {os.strerror(number)}; writing x; at byte 1048576; and more")
            super().write(record)

    path = [""]
    real = shards.ArrayRecordWriter

    def opened(name, options):
        path[0] = name
        return Full(name, options)

    monkeypatch.setattr(shards, "ArrayRecordWriter", opened)
    with pytest.raises(
        ValueError, match=rf"^no room left for '{tmp_path}/out/.*' \(.*\); free disk space and start"
    ) as e:
        make(arguments)
    assert "\n" not in str(e.value)
    assert not list(tmp_path.glob("out/tiny_files/*/writing-*"))
    monkeypatch.setattr(shards, "ArrayRecordWriter", real)
    _, told = make(arguments)
    assert told[0].startswith("continuing: 7 of 10 files")


def test_the_writer_itself_reports_a_full_disk(tmp_path):
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            shards.write(tmp_path / "shard", (os.urandom(50_000) for _ in range(20)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert error.value.errno == errno.EFBIG
    assert not (tmp_path / "shard").exists()


def test_a_folder_that_cannot_be_written_is_one_line(arguments, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "x")

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    message = rf"^cannot write '{tmp_path}/out/.*' \(Read-only file system\); change its permissions or choose another"
    with pytest.raises(ValueError, match=message):
        make(arguments)


def test_a_file_address_is_a_local_folder(arguments, tmp_path):
    make(arguments, prepared_dir=f"file://{tmp_path}/out")
    assert len(open_source(SPEC, f"file://{tmp_path}/out", "train")) == COUNT
    assert len(open_source(SPEC, tmp_path / "out", "train")) == COUNT


def test_far_data_are_written_and_read_as_local_ones(arguments, memory, tmp_path):
    folder, told = make(arguments, prepared_dir="memory://bucket/data")
    assert folder == "memory://bucket/data/tiny_files/1.0.0"
    assert told[0].endswith("free: unknown")
    assert not memory.exists("/bucket/data/tiny_files/1.0.0/parts")
    make(arguments)
    for split in ("train", "val"):
        far, near = open_source(SPEC, "memory://bucket/data", split), open_source(SPEC, tmp_path / "out", split)
        assert far.names == near.names
        for index in (0, COUNT - 1):
            for key, value in near.read(index).items():
                np.testing.assert_array_equal(far.read(index)[key], value)
    assert make(arguments, prepared_dir="memory://bucket/data")[1] == []  # found finished
    with pytest.raises(
        ValueError, match=r"'memory://bucket/data/tiny_files/1.0.0' was prepared with image_format jpeg"
    ):
        make(arguments, prepared_dir="memory://bucket/data", image_format="png")


def test_interrupted_far_data_are_not_taken_for_data_and_continued(arguments, memory, faults, tmp_path):
    (faults / "stop-val-39").touch()
    with pytest.raises(KeyboardInterrupt):
        make(arguments, prepared_dir="memory://bucket")
    with pytest.raises(ValueError, match="'tiny_files' is not prepared in 'memory://bucket'"):
        open_source(SPEC, "memory://bucket", "train")
    (faults / "stop-val-39").unlink()
    (faults / "loads").unlink()
    _, told = make(arguments, prepared_dir="memory://bucket")
    assert told[0].startswith("continuing: 9 of 10 files of 'memory://bucket/tiny_files/1.0.0'")
    assert len((faults / "loads").read_text().split()) == 8
    assert open_source(SPEC, "memory://bucket", "val").read(39)["name"] == "val_039"


def test_an_unknown_kind_of_address_is_one_line(arguments):
    message = r"^'nowhere://x.*' cannot be used: Protocol not known: nowhere; expected for example gs://bucket/folder"
    with pytest.raises(ValueError, match=message):
        make(arguments, prepared_dir="nowhere://x")


def test_a_file_system_whose_package_is_missing_is_one_line(arguments, monkeypatch):
    def missing(*_, **__):
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    message = (
        r"^'gs://x/tiny_files' cannot be used: Please install gcsfs to access Google Storage; install that package"
    )
    with pytest.raises(ValueError, match=message):
        make(arguments, prepared_dir="gs://x")


def test_what_fails_far_away_is_one_line_with_the_address(arguments, memory, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("403\nforbidden")

    monkeypatch.setattr(memory.__class__, "put_file", fail)
    message = r"^'memory://bucket/tiny_files/1.0.0' cannot be read or written \(403 forbidden\); check address, perm"
    with pytest.raises(ValueError, match=message):
        make(arguments, prepared_dir="memory://bucket")


def test_addresses_are_told_from_paths():
    assert remote.is_remote("gs://bucket/x")
    assert not remote.is_remote("file:///x")
    assert not remote.is_remote(pathlib.Path("/x"))
