"""A person's frames are looked at once: what was found is remembered by size and time of the files."""

import os

import pytest
from tree_folder import FRAMES, picture, save, write_video

from sde_seg_jax.data.own import clips, listed_video, remembered
from sde_seg_jax.data.raw_files.raw import Problems


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SDE_SEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "scans"


@pytest.fixture
def looked(monkeypatch):
    """How often frames of images, and videos, were looked at."""
    count = []
    for module, name in ((clips, "_moved"), (listed_video, "_look_at")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, real=real: count.append(1) or real(*a))
    return count


@pytest.fixture
def images(tmp_path):
    for number in range(6):
        save(tmp_path / "a" / f"{number}.png", picture(min(number, 3)))
    return tmp_path / "a"


def open_images(folder, problems=None, least=0.5):
    files = tuple(sorted(path.name for path in folder.iterdir()))
    return clips.open_clip("a", folder, files, 1, least, problems or Problems())


def test_the_second_look_is_from_the_note(images, looked, cache):
    first = open_images(images)
    assert first.kept == (0, 1, 2, 3)
    assert open_images(images) == first
    assert len(looked) == 1
    assert len(list(cache.iterdir())) == 1


def test_a_video_too(tmp_path, looked):
    write_video(tmp_path / "tour.mp4", [picture(number) for number in range(FRAMES)])
    first = clips.open_clip("tour", tmp_path / "tour.mp4", (), 1, 0.5, Problems())
    again = clips.open_clip("tour", tmp_path / "tour.mp4", (), 1, 0.5, Problems())
    assert again == first
    assert len(first.frames) == FRAMES
    assert len(looked) == 1


def test_other_files_times_or_options_are_looked_at_anew(images, looked):
    open_images(images)
    open_images(images, least=0.4)
    assert len(looked) == 2
    save(images / "6.png", picture(4))
    assert open_images(images).kept == (0, 1, 2, 3, 6)
    os.utime(images / "6.png", ns=(1, 1))
    open_images(images)
    assert len(looked) == 4


@pytest.mark.parametrize("damage", ["[0, 1", "[0, 99]", '{"a": 1}', "[-1]"])
def test_a_damaged_note_is_no_note(images, looked, cache, damage):
    first = open_images(images)
    (note,) = cache.iterdir()
    note.write_text(damage)
    assert open_images(images) == first
    assert len(looked) == 2


def test_files_with_problems_are_looked_at_again_so_that_they_are_told_again(images, looked, cache, monkeypatch):
    real = clips._gray
    monkeypatch.setattr(clips.cv2, "imdecode", lambda *_: None)
    monkeypatch.setattr(clips, "_gray", lambda path, p: p.report(f"{path}!") if "3.png" in path else real(path, p))
    for _ in range(2):
        problems = Problems(skip=True)
        open_images(images, problems)
        assert "3.png" in problems.left_out[0]
    assert len(looked) == 2
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(images, looked, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert open_images(images).kept == (0, 1, 2, 3)
    assert remembered.folder() == tmp_path / "cache" / "scans"
