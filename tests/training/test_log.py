import json
import math

import numpy as np
import pytest

from sde_seg_jax.training.log import Log, read_metrics, write_text


def write(folder, steps, resumed_at=0):
    log = Log(str(folder), resumed_at)
    for step in steps:
        log.scalars(step, {"loss": np.float32(step), "bad": math.nan})
    log.picture(steps[-1], "picture", np.zeros((4, 6, 3), np.uint8))
    log.close()


def test_a_line_is_json_with_step_values_and_seconds(tmp_path):
    write(tmp_path, [1, 2])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"], line["bad"]) for line in lines] == [(1, 1.0, None), (2, 2.0, None)]
    assert lines == read_metrics(str(tmp_path))
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"]
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_resuming_drops_lines_of_later_steps_and_goes_on_counting_seconds(tmp_path):
    write(tmp_path, [1, 2, 3, 4, 5])
    before = read_metrics(str(tmp_path))
    write(tmp_path, [4, 5], resumed_at=3)
    lines = read_metrics(str(tmp_path))
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[:3] == before[:3]
    assert lines[3]["seconds"] >= lines[2]["seconds"]


def test_a_half_written_last_line_is_left_out(tmp_path):
    write(tmp_path, [1, 2])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert [line["step"] for line in read_metrics(str(tmp_path))] == [1, 2]
    write(tmp_path, [3], resumed_at=2)
    assert [line["step"] for line in read_metrics(str(tmp_path))] == [1, 2, 3]


def test_no_file_is_no_lines(tmp_path):
    assert read_metrics(str(tmp_path)) == []


class Full:
    """A file on a full disk."""

    def write(self, text=""):
        raise OSError(28, "No space left on device")

    flush = close = write


def test_a_full_disk_names_the_file_and_the_remedy(tmp_path):
    log = Log(str(tmp_path))
    log._file.close()
    log._file = Full()
    with pytest.raises(OSError, match=r"cannot write .*metrics.jsonl \(No space left on device\): free disk space"):
        log.scalars(1, {"loss": 1.0})
    log.close()  # says it no second time


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "x.json"
    write_text(path, "old")
    write_text(path, "text")
    assert path.read_text() == "text"

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_text(path, "other")
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]
    assert path.read_text() == "text"
