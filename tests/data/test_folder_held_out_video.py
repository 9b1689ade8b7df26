"""The split of held-out frames with neighbors, of a person's own files: prepared only if it is named."""

import pytest
from tree_folder import picture, save

from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.data.reading.source import open_source

ALL = {"min_motion": 0.0, "val_fraction": 0.4}


@pytest.fixture
def clip(tmp_path):
    """A raw folder with one clip of ten frames and a camera."""
    for number in range(10):
        save(tmp_path / "raw" / "a" / f"{number}.png", picture(number % 4))
    (tmp_path / "raw" / "camera.json").write_text('{"field_of_view": 60}')
    return tmp_path / "raw"


def frames(root, split, **options):
    found = folder.items(split, root, problems=Problems(), **folder.SPEC.complete({**ALL, **options}))
    return [(item.name, *(path.rpartition("/")[2] for path in item.neighbors)) for item in found]


def test_neither_the_frames_nor_their_neighbors_train(clip):
    assert frames(clip, "val_video") == [("a/7", "6.png", "8.png"), ("a/8", "7.png", "9.png")]
    trained = {name for name, *_ in frames(clip, "train")}
    assert not trained & {"a/6", "a/7", "a/8", "a/9"}
    assert {name for name, *_ in frames(clip, "video")} == {f"a/{number}" for number in range(1, 5)}


def test_too_few_held_out_frames_are_an_error_that_says_what_to_do(clip):
    with pytest.raises(ValueError, match=r"'val_video' of .* is empty; no three held-out .* dataset.val_fraction"):
        frames(clip, "val_video", val_fraction=0.1)


def test_it_joins_prepared_data_when_it_is_asked_for(clip):
    where = {"raw_dir": clip, "prepared_dir": clip.parent / "prepared", "size": (24, 32), "workers": 1}
    done = prepare("folder", **where, **ALL)
    with pytest.raises(ValueError, match="has no split 'val_video'"):
        open_source("folder", where["prepared_dir"], "val_video")
    assert prepare("folder", **where, splits=["val_video"], **ALL) == done
    source = open_source("folder", where["prepared_dir"], "val_video")
    assert source.names == ["a/7", "a/8"]
    assert source.fields == ("neighbors",)


def test_snippets_of_cityscapes_in_one_folder_are_no_neighbors_of_each_other(clip):
    for path in sorted((clip / "a").iterdir()):
        number = int(path.stem)  # three snippets of three frames, and a labeled frame alone
        path.rename(path.with_name(f"aachen_{number // 3:06d}_{18 + number % 3:06d}_leftImg8bit.png"))
    names = [name for name, *_ in frames(clip, "video", val_fraction=0.1)]
    assert names == [f"a/aachen_{snippet:06d}_000019_leftImg8bit" for snippet in range(3)]
