import dataclasses
import pathlib
import re

import numpy as np
import pytest
from tiny_scenes import SIZE, SPEC, load

from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.spec import find
from sde_seg_jax.reporter import CONSOLE


def make(folder, spec=SPEC, size=SIZE, **options):
    return prepare(spec, prepared_dir=folder, size=size, workers=1, **options)


def test_stored_samples_are_the_described_ones_in_their_order(source):
    assert source.names == [f"train_{index:03d}" for index in range(6)]
    assert source.fields == ("neighbors", "label", "depth", "pose")
    for index in range(len(source)):
        raw, stored = load(("train", index, None), SIZE), source.read(index)
        assert stored["name"] == raw["name"]
        np.testing.assert_array_equal(stored["label"], raw["label"])
        np.testing.assert_array_equal(stored["pose"], raw["pose"].astype(np.float32))
        np.testing.assert_array_equal(stored["intrinsics"], np.float32(raw["intrinsics"]))
        depth = np.where(np.isfinite(raw["depth"]), raw["depth"], 0)
        np.testing.assert_allclose(stored["depth"], depth, rtol=0, atol=0.5 / 256)  # half a stored unit
        for field in ("image", "neighbors"):  # JPEG quality 98 on smooth pictures
            assert np.abs(stored[field].astype(int) - raw[field]).max() <= 4


def test_png_stores_images_exactly(tmp_path):
    make(tmp_path, image_format="png", splits=["val"])
    stored, raw = open_source(SPEC, tmp_path, "val").read(2), load(("val", 2, None), SIZE)
    np.testing.assert_array_equal(stored["image"], raw["image"])
    np.testing.assert_array_equal(stored["neighbors"], raw["neighbors"])


def test_resizing_moves_the_camera_and_never_mixes_ids(tmp_path):
    make(tmp_path, size=(4, 4), splits=["train"])
    stored, raw = open_source(SPEC, tmp_path, "train").read(0), load(("train", 0, None), SIZE)
    # c -> (c + 0.5) s - 0.5 with s = 1/4 across and 1/2 down
    np.testing.assert_array_equal(stored["intrinsics"], np.float32([3, 5.5, 1.375, 1.25]))
    np.testing.assert_array_equal(stored["label"], raw["label"][1::2, 2::4])
    assert stored["image"].shape == (4, 4, 3)


def test_a_second_call_finds_the_data_finished(tmp_path):
    folder = make(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in pathlib.Path(folder).iterdir()}
    broken = dataclasses.replace(SPEC, load=None)  # would fail if it prepared again
    assert make(tmp_path, broken) == folder
    assert make(tmp_path, broken, splits=["val"]) == folder
    assert {path: path.stat().st_mtime_ns for path in pathlib.Path(folder).iterdir()} == stamps


@pytest.mark.parametrize(
    ("changed", "found", "wanted"),
    [
        ({"size": (4, 8)}, "size [8, 16]", "[4, 8]"),
        ({"count": 5}, "options {'count': 6, 'fault': None}", "{'count': 5, 'fault': None}"),
        ({"image_format": "png"}, "image_format jpeg", "png"),
    ],
)
def test_data_with_other_options_are_refused(prepared_dir, changed, found, wanted):
    folder = prepared_dir / "tiny_scenes" / "1.0.0"
    message = f"'{folder}' was prepared with {found}, wanted {wanted}; "
    message += "delete that folder or choose another prepared_dir"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make(prepared_dir, **changed)


def test_data_of_another_version_are_refused(prepared_dir):
    newer = dataclasses.replace(SPEC, version="1.1.0")
    folder = prepared_dir / "tiny_scenes" / "1.0.0"
    message = f"'{folder}' holds 'tiny_scenes' version 1.0.0, wanted 1.1.0; delete that folder or choose another"
    for use in (make, lambda folder, spec: open_source(spec, folder, "train")):
        with pytest.raises(ValueError, match=re.escape(message)):
            use(prepared_dir, newer)


def test_an_interrupted_preparation_leaves_nothing_that_looks_finished(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, fault="crash")
    with pytest.raises(ValueError, match="'tiny_scenes' is not prepared in"):
        open_source(SPEC, tmp_path, "train")
    assert len(open_source(SPEC, make(tmp_path).parents[1], "train")) == 6


def test_data_of_another_schema_are_refused(tmp_path):
    path = make(tmp_path) / "metadata.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 1'))
    with pytest.raises(ValueError, match="has schema 1, wanted 2; delete that folder and prepare again"):
        open_source(SPEC, tmp_path, "train")


def test_a_killed_preparation_leaves_a_folder_that_is_not_taken_for_data(tmp_path):
    (tmp_path / "tiny_scenes" / "1.0.0.incompleteA1B2C3").mkdir(parents=True)
    with pytest.raises(ValueError, match="is not prepared"):
        open_source(SPEC, tmp_path, "train")
    make(tmp_path)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "id",
            r"label of 'train_005' has ids \[77\] outside label space 'cityscapes' \(0..18, 250 = ignore\)",
        ),
        ("size", r"label of 'train_005' is 8x14 but image of 'train_005' is 8x16"),
        ("name", r"two samples named 'train_000' in 'train'"),
        ("neighbors", r"'train_005' in 'train': all samples of a split need neighbors, or none"),
        ("depth", r"'train_005' in 'train': all samples of a split need depth, or none"),
    ],
)
def test_faulty_samples_are_named_in_one_line(tmp_path, fault, message):
    with pytest.raises(ValueError, match=message) as error:
        make(tmp_path, fault=fault)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("tiny_scenes/*"))


def test_samples_without_a_label_are_ignored_everywhere_and_flagged(tmp_path):
    make(tmp_path, fault="unlabeled")
    source = open_source(SPEC, tmp_path, "train")
    np.testing.assert_array_equal(source.labeled, [True] * 5 + [False])
    assert set(source.read(5)["label"].flat) == {SPEC.space.ignore}


def test_worker_processes_write_the_same_data(tmp_path, source):
    prepare(SPEC, prepared_dir=tmp_path, size=SIZE, splits=["train"], count=8, workers=2)
    parallel = open_source(SPEC, tmp_path, "train")
    assert parallel.names[:6] == source.names
    for index in range(6):
        for key, value in source.read(index).items():
            np.testing.assert_array_equal(parallel.read(index)[key], value)


def test_progress_shows_count_and_time_left(tmp_path, capfd):
    prepare(SPEC, prepared_dir=tmp_path, size=SIZE, workers=1, reporter=CONSOLE)
    output = capfd.readouterr()
    assert re.search(r"tiny_scenes: 100%.*12/12 \[00:\d\d<00:00", output.err)
    assert "needs about" in output.out
    prepare(SPEC, prepared_dir=tmp_path / "silent", size=SIZE, workers=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"colour": 1}, r"'tiny_scenes' has no option 'colour'; known options: \['count', 'fault'\]"),
        ({"splits": ["test"]}, r"has no split 'test'; it has \['train', 'val'\]"),
        ({"image_format": "webp"}, r"unknown image_format 'webp'; known: \['jpeg', 'png'\]"),
        ({"size": (0, 8)}, r"size \(0, 8\) is no \(height, width\)"),
        ({"count": 0}, r"split 'train' of 'tiny_scenes' is empty"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **arguments)


def test_an_unknown_split_is_refused_when_opening(prepared_dir):
    with pytest.raises(ValueError, match=r"has no split 'test'; it has \['train', 'val'\]"):
        open_source(SPEC, prepared_dir, "test")


def test_an_unknown_data_set_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown data set 'camvit'; did you mean 'camvid'\? known: camvid, "):
        find("camvit")
