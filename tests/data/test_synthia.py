import pathlib
import shutil

import cv2
import numpy as np
import pytest
from driving_trees import ids, picture, save
from synthetic_trees import SHAPE, examples, listed, save_16_bit, write_synthia

from sde_seg_jax.data.datasets import synthia
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import IGNORE

KIT = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "formats" / "synthia_GENERATED"
IMAGE, LABEL = "RGB/0000000.png", "GT/LABELS/0000000.png"
TRAIN_IDS = np.arange(512).reshape(SHAPE) % 19


@pytest.fixture
def raw(tmp_path):
    write_synthia(tmp_path / "raw")
    return tmp_path / "raw"


def test_labels_are_the_16_bit_red_channel(raw):
    found = examples("synthia", raw)
    assert [example["name"] for example in found] == [f"synthia_{number:07d}" for number in range(4)]
    np.testing.assert_array_equal(found[3]["image"], picture("0000003", SHAPE))
    np.testing.assert_array_equal(found[3]["label"], synthia.TRAIN_IDS[ids("0000003", 23, SHAPE)])  # green is 3


def test_raw_ids_become_the_classes_of_their_names():
    names = [  # of ids 0..22
        *(None, "sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "traffic sign", "person"),
        *("bicycle", "motorcycle", None, None, "traffic light", "terrain", "rider", "truck", "bus", "train", "wall"),
        None,
    ]
    assert synthia.TRAIN_IDS.tolist() == [IGNORE if name is None else CITYSCAPES.classes.index(name) for name in names]


@pytest.mark.parametrize(("classes", "without"), [(19, ()), (16, (9, 14, 16)), (13, (3, 4, 5, 9, 14, 16))])
def test_classes_outside_the_chosen_ones_are_ignored(raw, classes, without):
    label = examples("synthia", raw, classes=classes)[0]["label"]
    everything = synthia.TRAIN_IDS[ids("0000000", 23, SHAPE)]
    np.testing.assert_array_equal(label, np.where(np.isin(everything, without), IGNORE, everything))


def test_unknown_ids_are_ignored_and_reported(raw):
    label = ids("0000000", 23, SHAPE).astype(np.uint16)
    label[0, :3] = 23, 255, 40000
    save_16_bit(raw / LABEL, label)
    with pytest.warns(UserWarning, match=rf"label '.*{LABEL}' has unknown ids \[23, 255, 40000\] \(known: 0..22\)"):
        found = examples("synthia", raw)[0]["label"]
    assert found[0, :3].tolist() == [IGNORE] * 3


@pytest.mark.parametrize("ending", ["_labelTrainIds", ""])
def test_mapped_training_ids_are_read_if_asked_for(raw, ending):
    label = TRAIN_IDS.astype(np.uint8)
    label[0, :2] = 255, IGNORE
    if not ending:  # otherwise the 16-bit files may lie beside them
        shutil.rmtree(raw / "GT/LABELS")
    for number in range(4):
        save(raw / f"GT/LABELS/{number:07d}{ending}.png", label)
    found = examples("synthia", raw, labels="train_ids", classes=16)[0]["label"]
    expected = np.where(np.isin(label, (9, 14, 16, 255)), IGNORE, label)
    np.testing.assert_array_equal(found, expected)


def test_mapped_label_ids_are_read_from_the_folder_that_is_named(raw):
    label = (np.arange(512).reshape(SHAPE) % 35).astype(np.uint8)
    label[-1, -1] = 255
    for number in range(4):
        save(raw / f"parsed_LABELS/{number:07d}.png", label)
    found = examples("synthia", raw, labels="label_ids", label_folder="parsed_LABELS")[0]["label"]
    evaluated = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]  # of cityscapesScripts
    expected = [evaluated.index(i) if i in evaluated else IGNORE for i in label.ravel()]
    assert found.ravel().tolist() == expected


def test_ids_that_are_no_training_ids_are_ignored_and_reported(raw):
    for number in range(4):
        save(raw / f"GT/LABELS/{number:07d}.png", np.full(SHAPE, 19 + number, np.uint8))
    with pytest.warns(UserWarning, match=rf"'.*{LABEL}' has unknown ids \[19\] \(known: 0..18\): ignored"):
        label = synthia.read_label(raw / LABEL, "train_ids")
    assert (label == IGNORE).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "raw"}, r"option labels='raw' of 'synthia' is unknown; known: 'raw16', 'train_ids', 'label_ids'"),
        ({"classes": 11}, r"no subset of 11 classes; known: 19, 16, 13"),
        ({"label_folder": "parsed_LABELS"}, r"Missing .*raw/parsed_LABELS'; expected"),
        ({"labels": "train_ids"}, rf"label '.*{LABEL}' has 16 bits; set the option labels='raw16'"),
    ],
)
def test_options_that_do_not_fit_name_the_remedy(raw, options, message):
    with pytest.raises(ValueError, match=message):
        examples("synthia", raw, **options)


def swap(raw):
    (raw / "RGB").rename(raw / "x")
    (raw / "GT/LABELS").rename(raw / "RGB")
    (raw / "x").rename(raw / "GT/LABELS")


def nest(raw):
    (raw / "RAND_CITYSCAPES").mkdir()
    for part in ("RGB", "GT"):
        (raw / part).rename(raw / "RAND_CITYSCAPES" / part)


def truncate(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


EIGHT = np.zeros(SHAPE, np.uint8)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (swap, rf"label '.*{LABEL}' is no 16-bit RGB PNG"),
        (nest, r"Missing .*raw/RGB'; 'RGB' is in '.*raw/RAND_CITYSCAPES': set raw_dir to that"),
        (lambda raw: shutil.rmtree(raw / "GT"), r"Missing raw files of 'synthia': folder '.*raw/GT/LABELS'; expected"),
        (lambda raw: shutil.rmtree(raw / "RGB") or (raw / "RGB").mkdir(), r"RGB' has no files <number>.png; expected"),
        (lambda raw: (raw / LABEL).unlink(), rf"1 of 4 images have no label, the first is '.*{IMAGE}'; unpack"),
        (lambda raw: (raw / IMAGE).unlink(), rf"1 of 4 labels have no image, the first is '.*{LABEL}'; unpack"),
        (
            lambda raw: save(raw / LABEL, EIGHT),
            rf"label '.*{LABEL}' is no 16-bit .*labels='train_ids' or .*'label_ids'",
        ),
        (lambda raw: cv2.imwrite(str(raw / LABEL), EIGHT.astype(np.uint16)), r"is no 16-bit RGB PNG"),
        (lambda raw: truncate(raw / LABEL, 60), rf"cannot read '.*{LABEL}' \(.*\); replace the file"),
        (lambda raw: truncate(raw / LABEL, (raw / LABEL).stat().st_size - 12), rf"cannot read '.*{LABEL}' \(.*\)"),
        (lambda raw: flip_a_byte(raw / LABEL), rf"cannot read '.*{LABEL}' \(.*\); replace the file"),
        (lambda raw: truncate(raw / LABEL, 0), rf"cannot read '.*{LABEL}' \(it is empty\); replace the file"),
        (lambda raw: truncate(raw / IMAGE, 60), rf"cannot read '.*{IMAGE}' \(.*\); replace the file"),
        (lambda raw: save_16_bit(raw / LABEL, np.zeros((16, 30))), r"is 16x30 but image '.*' is 16x32"),
    ],
)
def test_damaged_raw_files_are_named_in_one_line(raw, damage, message):
    damage(raw)
    with pytest.raises(ValueError, match=message) as error:
        examples("synthia", raw)
    assert "\n" not in str(error.value)


def test_a_sample_without_label_can_be_left_out(raw):
    (raw / LABEL).unlink()
    problems = Problems(skip=True)
    assert len(listed("synthia", raw, problems=problems)) == 3
    assert problems.left_out == [f"'{raw / IMAGE}' has no label"]


@pytest.mark.skipif(not KIT.is_dir(), reason="no generated SYNTHIA sample in ../shared/data/formats")
def test_a_file_of_the_original_format_is_prepared_as_opencv_reads_it(tmp_path):
    independent = cv2.imread(str(KIT / LABEL), -1)[..., -1]
    assert len(np.unique(independent)) > 1
    fixed = {"image_format": "png", "workers": 1}
    prepare("synthia", raw_dir=KIT, prepared_dir=tmp_path, size=independent.shape, **fixed)
    found = open_source("synthia", tmp_path, "train").read(0)
    assert found["name"] == "synthia_0000000"
    np.testing.assert_array_equal(found["image"], cv2.imread(str(KIT / IMAGE))[..., ::-1])
    np.testing.assert_array_equal(found["label"], np.append(synthia.TRAIN_IDS, IGNORE)[np.minimum(independent, 23)])
