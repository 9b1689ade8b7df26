"""One run at a time in a workdir, whatever ends it."""

import errno
import json
import os
import re
import socket
import subprocess
import sys

import filelock
import pytest

from sde_seg_jax import disk
from sde_seg_jax.training.workdir_lock import HOLDER, Busy, alone

HOLDS = "import sys, time; from sde_seg_jax.training.workdir_lock import alone\n"
HOLDS += "with alone(sys.argv[1]): print('held', flush=True); time.sleep(60)"


def test_a_second_run_is_told_of_the_first_in_one_line(tmp_path):
    with alone(tmp_path), pytest.raises(Busy) as error, alone(tmp_path):
        pass
    line = (
        rf"{re.escape(str(tmp_path))} is in use by process {os.getpid()} on {re.escape(socket.gethostname())}, since "
    )
    line += r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: wait for it, or choose another --workdir"
    assert re.fullmatch(line, str(error.value))
    with alone(tmp_path):  # and free again
        pass


def test_a_killed_run_leaves_no_lock(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"held\n"
            with pytest.raises(Busy, match=rf"in use by process {other.pid} on "), alone(tmp_path):
                pass
        finally:
            other.kill()
    assert json.loads((tmp_path / HOLDER).read_text())["process"] == other.pid  # a note alone is no lock
    with alone(tmp_path):
        assert json.loads((tmp_path / HOLDER).read_text())["process"] == os.getpid()


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json", '{"process": 1}', b"\xff\xfe"])
def test_a_damaged_note_about_the_holder_is_no_second_fault(tmp_path, content):
    with alone(tmp_path):
        (tmp_path / HOLDER).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(Busy, match="in use by another process: wait for it"), alone(tmp_path):
            pass


def test_a_folder_that_got_nothing_is_gone_again_and_one_that_did_is_kept(tmp_path):
    with alone(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "checkpoints").mkdir()
    assert not (tmp_path / "a" / "b").exists()
    with alone(tmp_path / "c"):
        (tmp_path / "c" / "config.json").write_text("{}")
    assert (tmp_path / "c" / "config.json").exists()
    assert not (tmp_path / "c" / HOLDER).exists()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_named_and_nobody_is_sent_to_free_space(tmp_path, monkeypatch, number):
    def refuse(self, *_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    line = (
        rf"cannot write into {re.escape(str(tmp_path))} \({os.strerror(number)}\): make the folder writable, or choose "
    )
    with pytest.raises(OSError, match=line), alone(tmp_path):
        pass


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "x"), disk.FREE),
        (OSError(errno.EDQUOT, "x"), disk.FREE),
        (RuntimeError("write: No space left on device"), disk.FREE),
        (OSError(errno.EROFS, "x"), "make the folder writable, or choose another"),
        (RuntimeError("open: Permission denied"), "make the folder writable, or choose another"),
        (OSError(errno.EIO, "x"), "check the disk and start again"),
    ],
)
def test_the_remedy_follows_the_reason(error, advice):
    assert disk.remedy(error) == advice
    outer = RuntimeError("outer")
    outer.__cause__ = error
    assert disk.remedy(outer) == disk.remedy(ExceptionGroup("several", [error])) == advice
