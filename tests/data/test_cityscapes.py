import pathlib
import shutil

import numpy as np
import pytest
from driving_trees import CITYSCAPES_SHAPE as SHAPE
from driving_trees import FRAMES, ids, labeled_names, picture, save, write_camera, write_cityscapes
from PIL import Image

from sde_seg_jax.data.datasets.cityscapes import INTRINSICS, TRAIN_IDS
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.memory import memory_batches
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.types import IGNORE

KIT = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "formats" / "cityscapes_mini_256x128"
STILLS = ["train", "val"]
FIRST = "aachen_000000_000019"
IMAGE = f"leftImg8bit/train/aachen/{FIRST}_leftImg8bit.png"
LABEL = f"gtFine/train/aachen/{FIRST}_gtFine_labelIds.png"


@pytest.fixture
def raw(tmp_path):
    return write_cityscapes(tmp_path / "raw")


def make(raw, size=SHAPE, splits=None, **options):
    folder = raw.parent / "prepared"
    fixed = {"image_format": "png", "workers": 1}
    prepare("cityscapes", raw_dir=raw, prepared_dir=folder, size=size, splits=splits, **fixed, **options)
    return folder


def test_names_are_the_sorted_frames_of_all_cities(raw):
    folder = make(raw)
    names = open_source("cityscapes", folder, "train").names
    assert names == labeled_names("train") == sorted(names)
    assert open_source("cityscapes", folder, "val").names == labeled_names("val")


def test_raw_ids_become_the_19_classes_and_void_is_ignored(raw):
    save(raw / LABEL, np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint8).reshape(SHAPE) % 34)
    label = open_source("cityscapes", make(raw, splits=["train"]), "train").read(0)["label"].ravel()
    classes = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]  # of cityscapesScripts
    assert [classes.index(i) if i in classes else IGNORE for i in range(34)] == label[:34].tolist()


def test_unknown_ids_are_ignored_and_reported(raw):
    label = ids(FIRST, 34, SHAPE)
    label[0, :3] = 34, 77, 255
    save(raw / LABEL, label)
    with pytest.warns(UserWarning, match=rf"label '.*{FIRST}_gtFine_labelIds.png' has unknown ids \[34, 77, 255\]"):
        folder = make(raw, splits=["train"])
    found = open_source("cityscapes", folder, "train").read(0)["label"]
    assert found[0, :3].tolist() == [IGNORE] * 3
    np.testing.assert_array_equal(found[1:], TRAIN_IDS[label[1:]])


def test_a_labeled_frame_has_the_frames_before_and_after_it(raw):
    found = open_source("cityscapes", make(raw, splits=STILLS), "train").read(0)
    np.testing.assert_array_equal(found["image"], picture(FIRST, SHAPE))
    expected = [picture(f"aachen_000000_{number:06d}", SHAPE) for number in (18, 20)]
    np.testing.assert_array_equal(found["neighbors"], expected)


def test_video_holds_every_frame_with_both_neighbors_and_the_labels_there_are(raw):
    source = open_source("cityscapes", make(raw), "video")
    snippets = [name.rsplit("_", 1)[0] for name in labeled_names("train")]
    assert source.names == [f"{snippet}_{number:06d}" for snippet in snippets for number in FRAMES[1:-1]]
    assert [name for name, known in zip(source.names, source.labeled, strict=True) if known] == labeled_names("train")
    expected = [picture(f"aachen_000000_{number:06d}", SHAPE) for number in (17, 19)]
    np.testing.assert_array_equal(source.read(0)["neighbors"], expected)


def test_a_part_of_the_sequences_is_enough_for_video_and_what_lacks_is_counted(raw):
    """All labels, sequences of one snippet and of no validation frame: the splits with labels have no neighbors."""
    first = FIRST.rsplit("_", 1)[0]
    for path in (raw / "leftImg8bit_sequence").rglob("*.png"):
        if not path.name.startswith(first):
            path.unlink()
    shutil.rmtree(raw / "leftImg8bit_sequence/val")
    total = len(labeled_names("train"))
    with (
        pytest.warns(UserWarning, match=rf"{total - 1} of {total} labeled frames of 'train' have no sequence"),
        pytest.warns(UserWarning, match=rf"{total - 1} of {total} labeled frames are left out of 'video'"),
    ):
        folder = make(raw)
    train, val, video = (open_source("cityscapes", folder, split) for split in ("train", "val", "video"))
    assert train.names == labeled_names("train")
    assert train.fields == val.fields == ("label",)
    assert {name.rsplit("_", 1)[0] for name in video.names} == {first}
    assert video.labeled.sum() == 1


def test_sequence_step_thins_the_video(raw):
    thin = open_source("cityscapes", make(raw, splits=["video"], sequence_step=3), "video")
    assert thin.names == [name.replace("019", "018") for name in labeled_names("train")]


def test_labeled_frames_of_the_video_are_the_training_names(raw):
    folder = make(raw)
    names = open_source("cityscapes", folder, "train").names
    batch = next(memory_batches(open_source("cityscapes", folder, "video"), seed=0, batch_size=9, labeled_names=names))
    assert sorted(np.array(batch.name)[batch.labeled].tolist()) == names


def test_without_sequences_there_are_no_neighbors_and_depth_names_the_package(tmp_path):
    raw = write_cityscapes(tmp_path / "raw", sequences=False)
    source = open_source("cityscapes", make(raw, splits=STILLS), "train")
    assert source.fields == ("label",)
    with pytest.raises(ValueError, match=r"has no \['neighbors'\].*leftImg8bit_sequence_trainvaltest.zip beside"):
        memory_batches(source, seed=0, batch_size=1, fields=("neighbors",))


def test_video_without_sequences_says_how_to_do_without(tmp_path):
    raw = write_cityscapes(tmp_path / "raw", sequences=False)
    with pytest.raises(
        ValueError, match=r"leftImg8bit_sequence/train'; .*without it prepare splits=\('train', 'val'\)"
    ):
        make(raw)


def test_the_published_camera_follows_the_stored_size(raw):
    found = open_source("cityscapes", make(raw, splits=["train"], size=(8, 16)), "train").read(0)["intrinsics"]
    scale = 8 / 1024  # by way of the 16x32 raw images
    i = INTRINSICS
    expected = [i.fx * scale, i.fy * scale, (i.cx + 0.5) * scale - 0.5, (i.cy + 0.5) * scale - 0.5]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0)  # stored as float32


def test_a_camera_file_replaces_it_for_the_whole_snippet(raw):
    write_camera(raw, "train", "aachen_000001_000019", fx=2268.36, fy=2225.54, u0=1048.64, v0=519.28)
    folder = make(raw)
    scale = SHAPE[0] / 1024
    for split, names in (("train", ["aachen_000001_000019"]), ("video", ["aachen_000001_000018"])):
        source = open_source("cityscapes", folder, split)
        found = source.read(source.names.index(names[0]))["intrinsics"]
        expected = [2268.36 * scale, 2225.54 * scale, 1049.14 * scale - 0.5, 519.78 * scale - 0.5]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0)
        assert source.read(0)["intrinsics"][0] == np.float32(INTRINSICS.fx * scale)  # aachen_000000 has no file


def add_camera(raw, text):
    write_camera(raw, "train", FIRST, fx=1).write_text(text)


def truncate(path):
    path.write_bytes(path.read_bytes()[:60])


def nest(raw):
    for part in ("leftImg8bit", "gtFine", "leftImg8bit_sequence"):
        (raw / "cityscapes").mkdir(exist_ok=True)
        (raw / part).rename(raw / "cityscapes" / part)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nest, r"Missing .*raw/leftImg8bit/train'; 'leftImg8bit' is in '.*raw/cityscapes': set raw_dir to that"),
        (lambda raw: shutil.rmtree(raw / "leftImg8bit"), r"Missing .*/leftImg8bit/train'; expected a folder with left"),
        (lambda raw: shutil.rmtree(raw / "gtFine"), r"Missing .*/gtFine/train'; download .*gtFine_trainvaltest.zip"),
        (
            lambda raw: (
                shutil.rmtree(raw / "leftImg8bit/train/aachen") or shutil.rmtree(raw / "leftImg8bit/train/zurich")
            ),
            r"leftImg8bit/train' has no files '<city>/\*_leftImg8bit.png'",
        ),
        (lambda raw: (raw / LABEL).unlink(), rf"1 of 3 images have no label, the first is '.*{IMAGE}'; unpack"),
        (lambda raw: (raw / IMAGE).unlink(), rf"1 of 3 labels have no image, the first is '.*{LABEL}'; unpack"),
        (
            lambda raw: (raw / IMAGE.replace("Img8bit/", "Img8bit_sequence/").replace("019", "020")).unlink(),
            rf"lacks a frame beside '{FIRST}' \(-1 or \+1\); unpack",
        ),
        (lambda raw: truncate(raw / IMAGE), rf"cannot read '.*{IMAGE}' \(.*\); replace the file"),
        (lambda raw: truncate(raw / LABEL), rf"cannot read '.*{LABEL}' \(.*\); replace the file"),
        (lambda raw: (raw / LABEL).write_bytes(b""), rf"cannot read '.*{LABEL}' \(.*\); replace the file"),
        (lambda raw: save(raw / LABEL, picture("x", SHAPE)), r"label '.*_labelIds.png' has mode RGB; expected ids"),
        (lambda raw: save(raw / LABEL, np.zeros(SHAPE, np.uint16)), r"label '.*_labelIds.png' has mode I;16; expected"),
        (lambda raw: save(raw / LABEL, np.zeros((16, 30), np.uint8)), r"label '.*' is 16x30 but image '.*' is 16x32"),
        (lambda raw: (raw / IMAGE).rename(raw / "leftImg8bit/train/aachen/a_leftImg8bit.png"), r"have no label"),
        (lambda raw: add_camera(raw, "{"), rf"cannot read camera '.*{FIRST}_camera.json' \(JSONDecodeError"),
        (lambda raw: add_camera(raw, '{"intrinsic": {"fx": 1}}'), r"cannot read camera '.*' \(KeyError: 'fy'\)"),
        (
            lambda raw: add_camera(raw, '{"intrinsic": {"fx": 0, "fy": 1, "u0": 1, "v0": 1}}'),
            r"camera '.*_camera.json' has focal lengths 0.0, 1.0; expected positive",
        ),
    ],
)
def test_damaged_raw_files_are_named_in_one_line(raw, damage, message):
    damage(raw)
    with pytest.raises(ValueError, match=message) as error:
        make(raw, splits=["train"])
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not KIT.is_dir(), reason="no real Cityscapes sample in ../shared/data/formats")
def test_a_real_frame_has_the_training_ids_published_with_it(tmp_path):
    shutil.copytree(KIT, tmp_path / "raw")
    source = open_source("cityscapes", make(tmp_path / "raw", splits=["val"], size=(128, 256)), "val")
    assert source.names == ["frankfurt_000000_000294"]
    ours = source.read(0)["label"]
    raw_ids, expected = (np.array(Image.open(next(KIT.rglob(f"*_label{kind}.png")))) for kind in ("Ids", "TrainIds"))
    assert (ours == np.where(expected == 255, IGNORE, expected)).mean() > 0.997
    for raw_id in np.unique(raw_ids):  # the sample's two maps were downsized apart, so single border pixels differ
        published = np.bincount(expected[raw_ids == raw_id]).argmax()
        assert set(ours[raw_ids == raw_id]) == {IGNORE if published == 255 else published}
