"""The state of a person's raw files: the same for a copy, another when anything that is prepared from them is."""

import os
import shutil

import pytest
import tree_folder

from sde_seg_jax.data.datasets.folder import SPEC
from sde_seg_jax.data.own.raw_state import raw_state
from sde_seg_jax.data.preparing.prepare import metadata, prepare
from sde_seg_jax.data.preparing.raw_state import changes
from sde_seg_jax.data.preparing.raw_state import raw_state as state_now

LABEL = "labels/tour/000003.png"


@pytest.fixture
def raw(tmp_path):
    root = tmp_path / "raw"
    root.mkdir()
    tree_folder.write(root)
    return root


def differs(before, root):
    now = raw_state(root)
    return {key for key in now if now[key] != before[key]}


def test_it_counts_labels_and_files_with_frames(raw):
    found = raw_state(raw)
    assert {key: count for key, (count, _) in found.items()} == {"labels": 6, "frames": 2 * tree_folder.FRAMES + 1}


def test_a_copy_with_other_times_is_the_same(raw, tmp_path):
    copy = shutil.copytree(raw, tmp_path / "copy", copy_function=shutil.copyfile)
    os.utime(copy / LABEL, (1, 1))
    assert raw_state(copy) == raw_state(raw)


def test_a_corrected_label_of_the_same_name_is_noticed(raw):
    before = raw_state(raw)
    shutil.copyfile(raw / "labels/tour/000000.png", raw / LABEL)
    assert differs(before, raw) == {"labels"}
    assert raw_state(raw)["labels"][0] == before["labels"][0]


def test_other_classes_are_other_labels(raw):
    before = raw_state(raw)
    path = raw / "classes.json"
    path.write_text(path.read_text().replace("car", "cat"))
    assert differs(before, raw) == {"labels"}


def test_a_new_label_a_new_video_and_another_camera_are_noticed(raw):
    before = raw_state(raw)
    shutil.copyfile(raw / LABEL, raw / "labels/tour/000005.png")
    assert differs(before, raw) == {"labels"}
    before = raw_state(raw)
    shutil.copyfile(raw / "tour.mp4", raw / "again.mp4")
    assert differs(before, raw) == {"frames"}
    before = raw_state(raw)
    (raw / "rear" / "camera.json").write_text('{"field_of_view": 80}')
    assert differs(before, raw) == {"frames"}


def test_prepared_data_keep_the_state_they_were_made_from_also_when_splits_are_added(raw, tmp_path):
    options = {"raw_dir": raw, "prepared_dir": tmp_path / "out", "size": (24, 32), "workers": 1, "min_motion": 0.0}
    folder = prepare(SPEC, splits=["train"], **options)
    then = metadata(folder)["raw"]
    assert changes(then, state_now(SPEC, raw)) == {}
    shutil.copyfile(raw / LABEL, raw / "labels/tour/000005.png")
    assert changes(then, state_now(SPEC, raw)) == {"labels": "6 labels then, 7 now"}
    prepare(SPEC, splits=["train", "video"], **options)
    assert metadata(folder)["raw"] == then
    (raw / "labels/tour/000005.png").unlink()
    shutil.copyfile(raw / "labels/tour/000000.png", raw / LABEL)
    assert changes(then, state_now(SPEC, raw)) == {"labels": "other labels than then (6)"}


def test_nothing_is_said_of_raw_files_that_are_gone(raw, tmp_path):
    assert state_now(SPEC, tmp_path / "nowhere") == {}
    assert state_now(SPEC, "") == {}
    assert changes(state_now(SPEC, raw), {}) == {}
