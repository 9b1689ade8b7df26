"""Files are replaced whole or not at all, and who cannot write one is told which."""

import errno
import os

import numpy as np
import pytest
import targets
from PIL import Image

from sde_seg_jax.display.budget import Budget, write_budget
from sde_seg_jax.display.page import write_page
from sde_seg_jax.experiment import evaluated, report
from sde_seg_jax.state_files import writing
from sde_seg_jax.state_files.pictures import is_whole
from sde_seg_jax.training.checkpoints import FOLDER

IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
WRITERS = {
    "page.html": lambda path: write_page(path, title="t", intro="i", sections=[]),
    "budget.csv": lambda path: write_budget(path, Budget([1, 2], [2.0, 1.0], [1.0, 0.5])),
    "x.json": lambda path: writing.write_json(path, {"a": 1}),
    "x.txt": lambda path: writing.write_text(path, "é"),
    "x.png": lambda path: writing.write_picture(path, IMAGE),
    "x.jpg": lambda path: writing.write_picture(path, IMAGE, quality=90),
    "x.npy": lambda path: writing.write_array(path, IMAGE),
}


def full(descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file_as_it_was_and_names_it(name, tmp_path, monkeypatch):
    path = tmp_path / "new" / name
    path.parent.mkdir()
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=f"No space left on device: '{path}'") as caught:
            WRITERS[name](path)
    assert caught.value.errno == errno.ENOSPC
    assert [p.name for p in path.parent.iterdir()] == [name]
    assert path.read_bytes() == b"old"
    WRITERS[name](path)
    assert path.read_bytes() != b"old"
    assert [p.name for p in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", WRITERS)
def test_a_process_that_ends_while_it_writes_leaves_the_old_file(name, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(descriptor):
        raise Killed

    path = tmp_path / name
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(Killed):
        WRITERS[name](path)
    assert path.read_bytes() == b"old"


def test_a_file_where_a_folder_is_wanted_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=str(tmp_path / "file")):
        writing.write_text(tmp_path / "file" / "x.json", "")


def test_pictures_and_arrays_are_read_back(tmp_path):
    writing.write_picture(tmp_path / "x.png", IMAGE)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), IMAGE)
    writing.write_array(tmp_path / "x.npy", IMAGE)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), IMAGE)


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_a_cut_picture_is_not_whole(name, tmp_path):
    path = tmp_path / name
    assert not is_whole(path)
    writing.write_picture(path, IMAGE)
    assert is_whole(path)
    content = path.read_bytes()
    for length in (0, 3, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        assert not is_whole(path)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    targets.run_targets(folder)
    return folder


def test_a_report_that_cannot_be_written_leaves_the_old_one(run, monkeypatch):
    page = report.write_report(str(run))
    old = page.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*report.html'"):
        report.write_report(str(run), title="another")
    assert page.read_bytes() == old


@pytest.mark.parametrize("kept", [0, 20, -1])
def test_a_cut_picture_is_left_out_of_the_report_with_a_note(run, kept):
    path = run / "pictures" / "segmentation.png"
    path.write_bytes(path.read_bytes()[:kept])
    page = report.write_report(str(run)).read_text()
    assert f"left out: {path} is damaged" in page
    assert f"cli.evaluate --checkpoint={run} draws it again" in page


def test_a_missing_or_cut_picture_is_work_for_a_table_while_the_checkpoint_is_there(run):
    item = targets.table_runs.Item("run", "run", run, targets.tiny_config("supervised"))
    picture = run / "pictures" / "segmentation.png"
    assert targets.table_runs.complete(item)
    content = picture.read_bytes()
    for spoil in (picture.unlink, lambda: picture.write_bytes(content[:-3])):
        spoil()
        assert evaluated.lacks_pictures(run)
        assert targets.table_runs.complete(item)  # no checkpoint to draw it from
    (run / "pictures" / "evaluated.json").unlink()  # as older versions left it
    assert not evaluated.lacks_pictures(run)
    picture.unlink()
    assert evaluated.lacks_pictures(run)
    assert not (run / FOLDER).exists()
