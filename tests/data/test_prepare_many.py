"""Data that many processes prepare, each its part: equal to those of one, and what goes wrong is told."""

import concurrent.futures
import dataclasses
import fcntl
import os
import pathlib
import signal
import subprocess
import sys

import fsspec
import pytest
from tiny_files import COUNT, SIZE, SPEC

from sde_seg_jax.data.preparing import writing
from sde_seg_jax.data.preparing.parts import finish_parts, prepare_part
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.part import Part
from sde_seg_jax.reporter import Collected

HERE = pathlib.Path(__file__).parent
SCRIPT = """
import sys
sys.path.insert(0, {here!r})
from tiny_files import SIZE, SPEC
from sde_seg_jax.data.preparing import writing
from sde_seg_jax.data.preparing.parts import prepare_part
from sde_seg_jax.part import Part
prepare_part(Part({number}, 3), SPEC, prepared_dir={out!r}, size=SIZE, workers=1, folder={folder!r})
"""


@pytest.fixture
def arguments(tmp_path, faults):
    return {"prepared_dir": tmp_path / "out", "size": SIZE, "folder": str(faults)}


@pytest.fixture
def part(arguments):
    """part(number, of, **other options) writes it; returns what was told."""

    def call(number, of, spec=SPEC, **options):
        told = Collected()
        prepare_part(Part(number, of), spec, workers=1, reporter=told, **arguments | options)
        return told.lines

    return call


@pytest.fixture
def whole(arguments, tmp_path):
    """Contents of the files of one process."""
    return lambda **options: contents(
        prepare(SPEC, workers=1, **arguments | {"prepared_dir": tmp_path / "w"} | options)
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir() if path.is_file()}


@pytest.mark.parametrize("count", [1, 3, 16])
def test_parts_in_any_order_give_the_bytes_of_one_process(part, arguments, whole, count, tmp_path):
    for number in reversed(range(1, count + 1)):
        part(number, count)
        with pytest.raises(ValueError, match="is not prepared"):
            open_source(SPEC, tmp_path / "out", "train")
    assert contents(finish_parts(SPEC, **arguments)) == whole()
    assert not list((tmp_path / "out/tiny_files").glob("*.incomplete"))


def test_parts_of_processes_at_a_time_give_the_same_bytes_though_one_is_killed(arguments, whole, faults, tmp_path):
    (faults / "kill-train-39").touch()  # in the fifth shard, which is of part 2
    out = str(tmp_path / "out")
    scripts = [SCRIPT.format(here=str(HERE), out=out, folder=str(faults), number=n) for n in (1, 2, 3)]

    def run(script):
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(run, scripts))
    assert [one.returncode for one in ended] == [0, -signal.SIGKILL, 0], [one.stderr for one in ended]
    with pytest.raises(ValueError, match=r"lacks \d of 10 files, the first .*: start the parts again that did not end"):
        finish_parts(SPEC, **arguments)
    (faults / "kill-train-39").unlink()
    assert run(scripts[1]).returncode == 0
    assert contents(finish_parts(SPEC, **arguments)) == whole()


def test_a_part_again_does_only_what_is_missing(part, faults):
    (faults / "stop-val-39").touch()
    with pytest.raises(KeyboardInterrupt):
        part(2, 2)
    (faults / "stop-val-39").unlink()
    (faults / "loads").unlink()
    told = part(2, 2)
    assert told[0] == "continuing: 4 of 5 files of part 2/2 are finished"
    assert len((faults / "loads").read_text().split()) == 8
    assert part(2, 2)[0] == "continuing: 5 of 5 files of part 2/2 are finished"


def test_splits_are_added_to_finished_ones_in_parts(part, arguments, whole):
    prepare(SPEC, workers=1, **arguments, splits=["train"])
    for number in (1, 2):
        part(number, 2)
    whole(splits=["train"])  # one process adds them, too
    assert contents(finish_parts(SPEC, **arguments)) == whole()
    assert part(1, 2) == [f"'{arguments['prepared_dir']}/tiny_files/1.0.0' is prepared: nothing is left for part 1/2"]


def test_without_finish_the_usual_command_does_the_rest(part, arguments, whole, faults):
    part(1, 2)
    (faults / "loads").unlink()
    folder = prepare(SPEC, workers=1, **arguments)
    assert len((faults / "loads").read_text().split()) == COUNT
    assert contents(folder) == whole()


def test_far_parts_give_the_same_bytes(part, arguments, whole, monkeypatch, tmp_path):
    monkeypatch.setenv("SDE_SEG_CACHE", str(tmp_path / "cache"))
    system, far = fsspec.filesystem("memory"), {"prepared_dir": "memory://parts"}
    system.store.clear()
    for number in (2, 1):
        part(number, 2, **far)
    finish_parts(SPEC, **arguments | far)
    names = {pathlib.PurePath(name).name for name in system.find("/parts")}
    there = {name: system.cat_file(f"/parts/tiny_files/1.0.0/{name}") for name in names}
    system.store.clear()
    assert there == whole()


def test_bad_samples_are_left_out_as_one_process_does(part, arguments, whole, faults):
    for name in ("bad-train-3", "bad-val-20"):
        (faults / name).touch()
    for number in (1, 2):
        part(number, 2, skip_bad=True)
    with pytest.raises(ValueError, match="the parts left out 1 samples of 'train': give --skip_bad here, too"):
        finish_parts(SPEC, **arguments)
    assert contents(finish_parts(SPEC, **arguments, skip_bad=True)) == whole(skip_bad=True)


def test_other_flags_than_those_of_the_other_parts_are_refused(part, arguments):
    with pytest.raises(ValueError, match=r"no part is in '.*\.incomplete': start them with --part=1/16"):
        finish_parts(SPEC, **arguments)
    part(1, 2)
    with pytest.raises(ValueError, match=r"'.*\.incomplete' is of other image_format; give every part the same flags"):
        part(2, 2, image_format="png")
    with pytest.raises(ValueError, match=r"is of other image_format; give the flags that the parts were given"):
        finish_parts(SPEC, **arguments, image_format="png")
    part(2, 2)  # nothing was lost
    finish_parts(SPEC, **arguments)


def test_a_part_of_other_flags_that_starts_at_the_same_moment_is_noticed(part, monkeypatch):

    real = writing.write_shards

    def meanwhile(*given):
        monkeypatch.setattr(writing, "write_shards", real)
        real(*given)
        plan = given[4].partial / "parts/plan.json"
        plan.write_text(plan.read_text().replace("jpeg", "png"))

    monkeypatch.setattr(writing, "write_shards", meanwhile)
    with pytest.raises(ValueError, match="is of other image_format; give every part the same flags"):
        part(1, 2)


def twice(item, size):
    return {**SPEC.load(item, size), "name": f"{item[0]}_{item[1] % 15:03d}_{item[1] // 16}"}


def test_what_one_process_would_refuse_is_refused_at_the_end(part, arguments, faults):
    spec = dataclasses.replace(SPEC, load=twice)
    for number in (1, 2):
        part(number, 2, spec)  # 0 and 15 are of one name, in the first file and the second
    with pytest.raises(ValueError, match=r"'tiny_files' has two samples named 'train_000_0' in 'train', in two parts"):
        finish_parts(spec, **arguments)


def test_a_field_that_only_one_part_has_is_refused_at_the_end(part, arguments, faults):
    for index in range(8, 16):
        (faults / f"no_pose-train-{index}").touch()
    for number in (1, 2):
        part(number, 2, count=16)
    with pytest.raises(
        ValueError, match=r"'train_008' in 'train': all samples of a split need pose, or none; mend it, or"
    ):
        finish_parts(SPEC, **arguments, count=16)


def test_the_whole_is_not_written_while_a_part_is(part, arguments, tmp_path):
    part(1, 2)
    handle = os.open(tmp_path / "out/tiny_files/1.0.0.incomplete", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        with pytest.raises(ValueError, match="is being written by another process"):
            prepare(SPEC, workers=1, **arguments)
        part(2, 2)  # beside the first
    finally:
        os.close(handle)
