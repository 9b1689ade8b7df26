"""Frames at the resolution of the raw files, found by the names of prepared samples."""

import shutil

import numpy as np
import pytest
import tree_folder
import trees

from sde_seg_jax.data.inspecting import originals
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.spec import find


def opened(name, root, tmp_path, split="train", **options):
    """The split, prepared at a size that is none of the raw files'."""
    place = {"raw_dir": root, "prepared_dir": tmp_path / "prepared", "size": (10, 14), "splits": [split]}
    prepare(name, **place, workers=1, skip_bad=True, **options)
    return open_source(name, tmp_path / "prepared", split)


def frames(name, root, stored, names=None, split="train", **options):
    return originals.raw_frames(find(name), split, root, options, stored, stored.names if names is None else names)


@pytest.mark.parametrize(("name", "split"), [("camvid", "train"), ("cityscapes", "val"), ("gta5", "train")])
def test_every_sample_has_the_image_that_its_description_loads(name, split, tmp_path):
    root = trees.write(name, tmp_path / "raw")
    stored = opened(name, root, tmp_path, split)
    found, spec = frames(name, root, stored, split=split), find(name)
    items = spec.items(split, root, problems=raw.Problems(), **spec.options)
    for example in (spec.load(item, stored.size) for item in items):
        image = found[example["name"]].read()
        assert image.shape[:2] != stored.size
        np.testing.assert_array_equal(image, example["image"])
    assert [found[name].key for name in stored.names] == stored.names


def test_samples_are_found_where_others_were_left_out(tmp_path):
    root = trees.write("camvid", tmp_path / "raw")
    complete = opened("camvid", root, tmp_path / "complete")
    broken = complete.names[0]
    path = next((root / "train").glob(f"{broken}.*"))
    path.write_bytes(path.read_bytes()[:40])
    stored = opened("camvid", root, tmp_path / "rest")
    assert stored.names == complete.names[1:]
    wanted, found = frames("camvid", root, complete, stored.names), frames("camvid", root, stored)
    for name in stored.names:
        np.testing.assert_array_equal(found[name].read(), wanted[name].read())
    with pytest.raises(ValueError, match=f"cannot read '{path}'"):
        frames("camvid", root, complete)[broken].read()


def test_other_raw_files_than_the_prepared_ones_are_refused(tmp_path):
    root = trees.write("camvid", tmp_path / "raw")
    stored = opened("camvid", root, tmp_path)
    lines = (root / "train.txt").read_text().splitlines()
    (root / "train.txt").write_text("\n".join(lines[::-1]))
    with pytest.raises(ValueError, match=r"not those that were prepared: .*set data.raw_dir"):
        frames("camvid", root, stored)[stored.names[0]].read()


@pytest.fixture
def own(tmp_path):
    (tmp_path / "raw").mkdir()
    tree_folder.write(tmp_path / "raw")
    return tmp_path / "raw"


def test_own_frames_have_the_path_of_their_label_as_key(own, tmp_path):
    shutil.copy(own / "rear" / "frame7.png", own / "beside labels.png")
    shutil.rmtree(own / "labels")
    stored = opened("folder", own, tmp_path, min_motion=0.0)
    found = frames("folder", own, stored)
    keys = {name: frame.key for name, frame in found.items()}
    assert set(keys) == set(stored.names)
    assert keys["images/beside_labels"] == "beside labels"
    assert keys["front/straße/frame7"] == "front/straße/frame7"
    assert keys["tour/000001"] == "tour/000001"
    np.testing.assert_array_equal(found["rear/frame8"].read(), tree_folder.picture(1))


def test_own_frames_are_found_after_labels_moved_them_to_another_split(own, tmp_path):
    labels = own / "labels"
    labels.rename(tmp_path / "labels")
    stored = opened("folder", own, tmp_path / "before", min_motion=0.0)
    (tmp_path / "labels").rename(labels)
    after = opened("folder", own, tmp_path / "after", min_motion=0.0)
    assert set(stored.names) - set(after.names)  # are not in train any more
    assert set(frames("folder", own, stored)) == set(stored.names)


def test_own_frames_of_one_sample_name_are_refused(own, tmp_path):
    stored = opened("folder", own, tmp_path)
    for name in ("one_name.png", "one name.png"):
        shutil.copy(own / "rear" / "frame7.png", own / "rear" / name)
    assert set(frames("folder", own, stored, ["rear/frame7"])) == {"rear/frame7"}
    with pytest.raises(ValueError, match="both called 'rear/one_name' where they are prepared; rename one"):
        frames("folder", own, stored, ["rear/one_name"])


def test_samples_that_are_not_there_are_left_out(own, tmp_path):
    stored = opened("folder", own, tmp_path)
    names = ["nowhere/frame1", "rear/frame99", "rear/frame8"]
    assert list(frames("folder", own, stored, names)) == ["rear/frame8"]
    assert not originals.stored_frames(stored, ["nowhere/frame1"])


def test_stored_frames_have_the_stored_size(own, tmp_path):
    stored = opened("folder", own, tmp_path)
    frame = originals.stored_frames(stored, stored.names[:1])[stored.names[0]]
    assert (frame.key, frame.read().shape) == (stored.names[0], (10, 14, 3))
