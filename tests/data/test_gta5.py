import shutil

import numpy as np
import pytest
from driving_trees import ids, picture, save
from synthetic_trees import SHAPE, examples, listed, write_gta5

from sde_seg_jax.data.datasets import gta5
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.types import IGNORE

IMAGE, LABEL = "images/00001.png", "labels/00001.png"


@pytest.fixture
def raw(tmp_path):
    write_gta5(tmp_path / "raw")
    return tmp_path / "raw"


def test_images_and_labels_are_paired_by_number(raw):
    found = examples("gta5", raw)
    assert [example["name"] for example in found] == [f"gta5_{number:05d}" for number in range(1, 6)]
    np.testing.assert_array_equal(found[0]["image"], picture("00001", SHAPE))
    np.testing.assert_array_equal(found[0]["label"], gta5.TRAIN_IDS[ids("00001", 35, SHAPE)])


def test_license_plates_are_ignored(raw):
    save(raw / LABEL, np.full(SHAPE, 34, np.uint8))
    assert (examples("gta5", raw)[0]["label"] == IGNORE).all()


def test_ids_that_do_not_exist_are_ignored_and_reported(raw):
    label = ids("00001", 35, SHAPE)
    label[0, :3] = 35, 77, 255
    save(raw / LABEL, label)
    with pytest.warns(UserWarning, match=r"labels/00001.png' has unknown ids \[35, 77, 255\]"):
        found = examples("gta5", raw)[0]["label"]
    assert found[0, :3].tolist() == [IGNORE] * 3


def test_pairs_of_different_sizes_are_always_left_out_and_listed(raw):
    save(raw / LABEL, np.zeros((16, 30), np.uint8))
    problems = Problems()
    found = listed("gta5", raw, problems=problems)
    assert len(found) == 4
    message = f"image '{raw / IMAGE}' is 32x16 but label '{raw / LABEL}' is 30x16 (w x h): left out"
    assert problems.left_out == [message]


def test_a_bad_header_is_a_problem_of_one_sample(raw):
    (raw / IMAGE).write_bytes(b"")
    problems = Problems(skip=True)
    assert len(listed("gta5", raw, problems=problems)) == 4
    assert problems.left_out == [f"cannot read '{raw / IMAGE}' (it is empty); replace the file, then prepare again"]


def swap(raw):
    for old, new in (("images", "x"), ("labels", "images"), ("x", "labels")):
        (raw / old).rename(raw / new)


def keep_parts(raw):
    for part in ("images", "labels"):
        (raw / f"01_{part}").mkdir()
        (raw / part).rename(raw / f"01_{part}" / part)


def nest(raw):
    (raw / "gta").mkdir()
    for part in ("images", "labels"):
        (raw / part).rename(raw / "gta" / part)


def truncate(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (swap, r"label '.*labels/00001.png' has mode RGB; expected ids in an 8-bit gray or palette PNG"),
        (keep_parts, r"'.*raw/01_images' is one part of 'gta5'; unzip all parts into one folder"),
        (nest, r"Missing .*raw/images'; 'images' is in '.*raw/gta': set raw_dir to that"),
        (lambda raw: shutil.rmtree(raw / "images"), r"Missing raw files of 'gta5': folder '.*raw/images'; expected"),
        (lambda raw: shutil.rmtree(raw / "labels"), r"Missing raw files of 'gta5': folder '.*raw/labels'; expected"),
        (lambda raw: shutil.rmtree(raw / "labels") or (raw / "labels").mkdir(), r"labels' has no files \*.png"),
        (lambda raw: (raw / LABEL).unlink(), rf"1 of 5 images have no label, the first is '.*{IMAGE}'; unzip all"),
        (lambda raw: (raw / IMAGE).unlink(), rf"1 of 5 labels have no image, the first is '.*{LABEL}'; unzip all"),
        (lambda raw: truncate(raw / LABEL, 60), rf"cannot read '.*{LABEL}' \(.*\); replace the file"),
        (lambda raw: truncate(raw / IMAGE, 20), rf"cannot read '.*{IMAGE}' \(it does not start as a PNG file\)"),
        (lambda raw: truncate(raw / LABEL, 0), rf"cannot read '.*{LABEL}' \(it is empty\); replace the file"),
        (lambda raw: save(raw / LABEL, np.zeros(SHAPE, np.uint16)), rf"label '.*{LABEL}' has mode I;16; expected ids"),
    ],
)
def test_damaged_raw_files_are_named_in_one_line(raw, damage, message):
    damage(raw)
    with pytest.raises(ValueError, match=message) as error:
        examples("gta5", raw)
    assert "\n" not in str(error.value)
