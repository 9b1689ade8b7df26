import shutil

import numpy as np
import pytest
from driving_trees import ids, picture, save
from synthetic_trees import SHAPE, examples, listed, save_16_bit, write_viper

from sde_seg_jax.data.datasets import viper
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import IGNORE

IMAGE, LABEL = "train/img/001/001_00003.png", "train/cls/001/001_00003.png"


@pytest.fixture
def raw(tmp_path):
    write_viper(tmp_path / "raw")
    return tmp_path / "raw"


def names(found):
    return [example["name"] for example in found]


def label_of(raw, name="001_00003", split="train"):
    return next(example["label"] for example in examples("viper", raw, split) if example["name"] == name)


def test_labeled_frames_have_the_frames_before_and_after_them(raw):
    problems = Problems()
    assert len(listed("viper", raw, problems=problems)) == 4
    found = examples("viper", raw)
    assert names(found) == ["001_00002", "001_00003", "001_00004", "024_00008"]
    np.testing.assert_array_equal(found[1]["image"], picture("001_00003", SHAPE))
    expected = [picture("001_00002", SHAPE), picture("001_00004", SHAPE)]
    np.testing.assert_array_equal(found[1]["neighbors"], expected)
    message = f"4 of 8 labeled frames of '{raw / 'train'}' lack the frame before or after them, the first is '{{}}'"
    assert problems.left_out == [message.format(raw / "train/img/001/001_00001.png") + ": left out"]


def test_frames_may_be_jpeg(raw):
    assert names(examples("viper", raw, "val")) == ["060_00002", "060_00003"]


def test_without_any_neighbors_all_labeled_frames_stay(raw):
    for path in (raw / "train").rglob("*.png"):
        if int(path.stem[-5:]) % 3:  # 3 and 9 stay
            path.unlink()
    found = examples("viper", raw)
    assert names(found) == ["001_00003", "024_00009"]
    assert not any("neighbors" in example for example in found)


def test_video_holds_frames_with_both_neighbors_labeled_or_not(raw):
    (raw / LABEL).unlink()
    found = examples("viper", raw, "video")
    assert names(found) == ["001_00002", "001_00003", "001_00004", "024_00008"]
    assert [example["label"] is not None for example in found] == [True, False, True, True]
    assert names(examples("viper", raw, "video", sequence_step=3)) == ["001_00002", "024_00008"]
    shutil.rmtree(raw / "train/cls")
    assert not any(example["label"] is not None for example in examples("viper", raw, "video"))


def test_the_camera_is_the_published_one_with_the_centre_in_the_middle(raw):
    height, width = SHAPE
    expected = [1.206285 * width, 2.144507 * height, (width - 1) / 2, (height - 1) / 2]
    np.testing.assert_allclose(examples("viper", raw)[0]["intrinsics"], expected, rtol=1e-12)


def test_classes_become_those_of_cityscapes(raw):
    by_name = {  # raw id: class, by the names of classes.csv; animal shares the color of rider
        **{2: "sky", 3: "road", 4: "sidewalk", 6: "terrain", 7: "vegetation", 8: "vegetation", 9: "building"},
        **{10: "pole", 11: "fence", 13: "traffic light", 14: "traffic sign", 20: "person", 21: "rider", 22: "bicycle"},
        **{23: "motorcycle", 24: "car", 26: "bus", 27: "truck", 29: "train"},
    }
    expected = [CITYSCAPES.classes.index(by_name[i]) if i in by_name else IGNORE for i in range(32)]
    assert viper.TRAIN_IDS.tolist() == expected
    np.testing.assert_array_equal(label_of(raw), viper.TRAIN_IDS[ids("001_00003", 32, SHAPE)])


def test_ids_a_gray_palette_and_colors_give_the_same_label(raw):
    expected, raw_ids = label_of(raw), ids("001_00003", 32, SHAPE)
    order = np.random.default_rng(0).permutation(32)  # a palette sorted otherwise: its colors count
    colors = np.array(viper.CLASS_COLORS, np.uint8)
    variants = {
        "gray": (raw_ids, None),
        "gray palette": (raw_ids, np.arange(32)[:, None].repeat(3, 1)),
        "palette": (np.argsort(order).astype(np.uint8)[raw_ids], colors[order]),
        "colors": (colors[raw_ids], None),
    }
    for name, (values, palette) in variants.items():
        save(raw / LABEL, values, palette)
        np.testing.assert_array_equal(label_of(raw), expected, err_msg=name)


def test_unknown_ids_and_colors_are_ignored_and_reported(raw):
    label = ids("001_00003", 32, SHAPE)
    label[0, :2] = 32, 255
    save(raw / LABEL, label)
    with pytest.warns(UserWarning, match=rf"'.*{LABEL}' has unknown ids \[32, 255\] \(known: 0..31\): ignored"):
        found = label_of(raw)
    assert found[0, :2].tolist() == [IGNORE] * 2
    colors = np.array(viper.CLASS_COLORS, np.uint8)[ids("001_00003", 32, SHAPE)]
    colors[0, :2] = (1, 2, 3), (128, 64, 129)
    save(raw / LABEL, colors)
    with pytest.warns(
        UserWarning, match=rf"{LABEL}' has 2 unknown colors \[\(1, 2, 3\), \(128, 64, 129\)\]: ignored"
    ) as caught:
        found = label_of(raw)
    assert len(caught) == 1
    assert found[0, :2].tolist() == [IGNORE] * 2
    np.testing.assert_array_equal(found[1:], viper.TRAIN_IDS[ids("001_00003", 32, SHAPE)][1:])


def test_a_file_that_is_no_frame_and_a_label_without_image_can_be_left_out(raw):
    save(raw / "train/img/001/cover.png", picture("cover", SHAPE))
    (raw / IMAGE).unlink()
    problems = Problems(skip=True)
    listed("viper", raw, problems=problems)
    assert problems.left_out[0].startswith(f"'{raw / 'train/img/001/cover.png'}' is not named <sequence>_<frame>")
    assert problems.left_out[1].startswith(f"label '{raw / LABEL}' has no image")


def swap(raw):
    for old, new in (("img", "x"), ("cls", "img"), ("x", "cls")):
        (raw / "train" / old).rename(raw / "train" / new)


def nest(raw):
    (raw / "viper").mkdir()
    for part in ("train", "val"):
        (raw / part).rename(raw / "viper" / part)


def keep_one(raw):
    for path in (raw / "train").rglob("*.png"):
        if path.stem != "001_00003":
            path.unlink()


def empty(raw):
    for sequence in ("001", "024"):
        shutil.rmtree(raw / "train/cls" / sequence)


def truncate(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


def noise(raw):
    save(raw / LABEL, picture("noise", (32, 32)))


@pytest.mark.parametrize(
    ("split", "damage", "message"),
    [
        ("train", swap, r"label '.*train/cls/.*' has \d+ unknown colors, so it is no label picture; are .* swapped\?"),
        ("train", noise, r"label '.*001_00003.png' has \d+ unknown colors, so it is no label picture"),
        ("train", nest, r"Missing .*raw/train/img'; 'train' is in '.*raw/viper': set raw_dir to that"),
        ("val", lambda raw: shutil.rmtree(raw / "val"), r"Missing raw files of 'viper': folder '.*raw/val/img'"),
        ("train", lambda raw: shutil.rmtree(raw / "train/cls"), r"/train/cls'; download the packages of train/cls"),
        ("train", empty, r"train/cls' has no files '<sequence>/\*.png'; expected"),
        ("train", lambda raw: (raw / IMAGE).unlink(), rf"label '.*{LABEL}' has no image; unpack the packages"),
        ("video", keep_one, r"no frame in '.*train/img' has both neighbors; download every package of train/img"),
        ("train", lambda raw: truncate(raw / IMAGE, 60), rf"cannot read '.*{IMAGE}' \(.*\); replace the file"),
        ("train", lambda raw: truncate(raw / LABEL, 60), rf"cannot read '.*{LABEL}' \(.*\); replace the file"),
        ("train", lambda raw: truncate(raw / LABEL, 0), rf"cannot read '.*{LABEL}' \(it is empty\); replace the file"),
        ("train", lambda raw: truncate(raw / IMAGE, 0), rf"cannot read '.*{IMAGE}' \(.*\); replace the file"),
        ("train", lambda raw: save(raw / LABEL, np.zeros(SHAPE, np.uint16)), r"has mode I;16; expected ids in"),
        ("train", lambda raw: save_16_bit(raw / LABEL, np.zeros(SHAPE)), r"has 16 bits, .*; expected 8-bit RGB"),
        ("train", lambda raw: save(raw / LABEL, np.zeros((16, 30), np.uint8)), r"is 16x30 but image '.*' is 16x32"),
    ],
)
def test_damaged_raw_files_are_named_in_one_line(raw, split, damage, message):
    damage(raw)
    with pytest.raises(ValueError, match=message) as error:
        examples("viper", raw, split)
    assert "\n" not in str(error.value)


def test_a_step_of_zero_is_refused(raw):
    with pytest.raises(ValueError, match="sequence_step is 0; expected 1"):
        listed("viper", raw, "video", sequence_step=0)
