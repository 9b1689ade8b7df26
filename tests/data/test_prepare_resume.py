"""What an interruption costs, and that the data are the same afterwards."""

import pathlib
import signal
import subprocess
import sys

import pytest
from tiny_files import COUNT, SIZE, SPEC

from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.reporter import Collected

SCRIPT = """
import sys
sys.path.insert(0, {here!r})
from tiny_files import SIZE, SPEC
from sde_seg_jax.data.preparing.prepare import prepare
if __name__ == "__main__":
    prepare(SPEC, prepared_dir={out!r}, size=SIZE, workers={workers}, folder={folder!r})
"""


@pytest.fixture
def make(tmp_path, faults):
    """make(where) prepares into tmp_path/where; returns the folder, and what was told."""

    def call(where="out", **options):
        told = Collected()
        arguments = {"workers": 1, "reporter": told, "folder": str(faults)} | options
        return prepare(SPEC, prepared_dir=tmp_path / where, size=SIZE, **arguments), told.lines

    return call


def loads(faults):
    path = faults / "loads"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir() if path.is_file()}


@pytest.mark.parametrize("stop", [("train", 20), ("val", 2), ("val", 39)])
def test_an_interrupted_call_is_continued_and_gives_equal_bytes(make, faults, stop, tmp_path):
    split, index = stop
    (faults / f"stop-{split}-{index}").touch()
    with pytest.raises(KeyboardInterrupt):
        make()
    with pytest.raises(ValueError, match="is not prepared"):
        open_source(SPEC, tmp_path / "out", "train")
    (faults / f"stop-{split}-{index}").unlink()
    loads(faults)
    done = 8 * (COUNT * (split == "val") // 8 + index // 8)
    folder, told = make()
    if stop == ("val", 2):  # among the measured samples, so hit before anything is written
        assert len(told) == 1
        assert len(loads(faults)) == 2 * COUNT
    else:
        assert told[0] == f"continuing: {done // 8} of 10 files of '{folder}' are finished"
        again = loads(faults)
        assert len(again) == len(set(again)) == 2 * COUNT - done
    whole, _ = make("whole")
    assert contents(folder) == contents(whole)
    assert len(loads(faults)) == 2 * COUNT  # every sample once, those that were measured too


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_process_is_continued_and_gives_equal_bytes(make, faults, tmp_path, workers):
    (faults / "kill-val-20").touch()
    (faults / "worker-val-20").touch() if workers > 1 else None  # the worker kills its parent
    here = str(pathlib.Path(__file__).parent)
    script = SCRIPT.format(here=here, out=str(tmp_path / "out"), folder=str(faults), workers=workers)
    path = tmp_path / "script.py"
    path.write_text(script)
    status = subprocess.run([sys.executable, path], cwd=here, capture_output=True, timeout=120).returncode
    assert status == -signal.SIGKILL
    (faults / "kill-val-20").unlink()
    finished = len(list((tmp_path / "out/tiny_files/1.0.0.incomplete").glob("tiny_files-*")))
    assert finished >= (5 if workers == 1 else 1)  # workers run ahead of what is written
    loads(faults)
    folder, told = make()
    assert told[0].startswith(f"continuing: {finished} of 10 files")
    assert len(loads(faults)) == 2 * COUNT - 8 * finished
    assert contents(folder) == contents(make("whole")[0])


def test_the_bytes_do_not_depend_on_the_number_of_workers(make):
    assert contents(make("one")[0]) == contents(make("two", workers=2)[0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"image_format": "png"}, "other image_format"), ({"splits": ["train"]}, "other splits")],
)
def test_another_recipe_starts_anew_and_says_so(make, faults, tmp_path, change, reason):
    (faults / "stop-val-39").touch()
    with pytest.raises(KeyboardInterrupt):
        make()
    (faults / "stop-val-39").unlink()
    loads(faults)
    folder, told = make(**change)
    assert told[0] == f"starting anew: the unfinished '{folder}' is of {reason}"
    assert contents(folder) == contents(make("whole", **change)[0])


def test_other_raw_files_start_anew(make, faults, tmp_path, monkeypatch):
    (faults / "stop-val-39").touch()
    with pytest.raises(KeyboardInterrupt):
        make()
    (faults / "stop-val-39").unlink()
    import dataclasses

    fewer = dataclasses.replace(SPEC, items=lambda *a, **k: SPEC.items(*a, **k)[:-1])
    told = Collected()
    prepare(fewer, prepared_dir=tmp_path / "out", size=SIZE, workers=1, reporter=told, folder=str(faults))
    assert told.lines[0].endswith("is of other raw files")
    assert len(open_source(SPEC, tmp_path / "out", "val")) == COUNT - 1


def test_a_damaged_finished_file_is_written_again(make, faults, tmp_path):
    (faults / "stop-val-39").touch()
    with pytest.raises(KeyboardInterrupt):
        make()
    (faults / "stop-val-39").unlink()
    loads(faults)
    path = tmp_path / "out/tiny_files/1.0.0.incomplete/tiny_files-train.array_record-00002-of-00005"
    path.write_bytes(path.read_bytes()[:1000])
    folder, told = make()
    assert told[0].startswith("continuing: 8 of 10 files")
    assert len(loads(faults)) == 16
    assert contents(folder) == contents(make("whole")[0])


def test_a_bad_sample_ends_it_but_what_is_done_stays(make, faults):
    (faults / "bad-val-12").touch()
    with pytest.raises(
        ValueError, match=r"^cannot read 'val/012.png' \(broken\); replace the file; to leave such samples out, pr"
    ):
        make()
    (faults / "bad-val-12").unlink()
    loads(faults)
    _, told = make()
    assert told[0].startswith("continuing: 6 of 10 files")
    assert len(loads(faults)) == 32


def test_nothing_is_left_when_nothing_was_finished(make, faults, tmp_path):
    (faults / "bad-train-3").touch()
    with pytest.raises(ValueError, match="cannot read 'train/003"):
        make()
    assert not list(tmp_path.glob("out/tiny_files/*"))


def test_two_processes_do_not_write_one_folder(make, tmp_path):
    import fcntl
    import os

    partial = tmp_path / "out/tiny_files/1.0.0.incomplete"
    partial.mkdir(parents=True)
    handle = os.open(partial, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(ValueError, match=r"'.*1.0.0.incomplete' is being written by another process; wait for it"):
            make()
        assert partial.exists()
    finally:
        os.close(handle)
    make()


def test_a_worker_that_is_killed_is_explained(make, faults):
    (faults / "kill-train-20").touch()
    with pytest.raises(ValueError, match="one of 2 worker processes ended abruptly, most likely for lack of memory"):
        make(workers=2)


def test_a_script_needs_no_guard(tmp_path):
    """As people write them: nothing hides what runs from the worker processes, which would run it again."""
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys
print("begins", flush=True)
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
from tiny_files import SIZE, SPEC
from sde_seg_jax.data.preparing.prepare import prepare
prepare(SPEC, prepared_dir={str(tmp_path / "out")!r}, size=SIZE, workers=2, folder={str(tmp_path)!r})
"""
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "begins\n"
    assert len(open_source(SPEC, tmp_path / "out", "train")) == COUNT
