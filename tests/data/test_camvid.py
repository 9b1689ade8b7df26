import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.datasets.camvid import INTRINSICS
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.memory import memory_batches
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.types import IGNORE

KIT = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "camvid"
SHAPE = (12, 16)  # a scaled-down 360x480
FRAMES = {
    "train": ["0001TP_006690", "0001TP_006720", "0016E5_00390"],
    "val": [f"0016E5_{number:05d}" for number in range(7959, 7971, 2)],
    "test": ["Seq05VD_f00000", "Seq05VD_f00030"],
}


def picture(name):
    return np.random.default_rng(list(name.encode())).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def ids(name):
    return np.random.default_rng(list(name.encode())).integers(0, 12, SHAPE, dtype=np.uint8)


@pytest.fixture
def raw(tmp_path):
    """A tree in the raw layout, with PNG images and official lists as the SegNet repository has them."""
    root = tmp_path / "raw"
    for split, names in FRAMES.items():
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir(parents=True)
        for name in names:
            Image.fromarray(picture(name)).save(root / split / f"{name}.png")
            Image.fromarray(ids(name)).save(root / f"{split}annot" / f"{name}.png")
        base = "/SegNet/CamVid/"
        lines = [f"{base}{split}/{name}.png {base}{split}annot/{name}.png\n" for name in names]
        (root / f"{split}.txt").write_text("".join(lines))
    return root


def make(raw, size=SHAPE, **options):
    folder = raw.parent / "prepared"
    prepare(
        "camvid",
        raw_dir=raw,
        prepared_dir=folder,
        size=size,
        image_format="png",
        workers=1,
        **options,
    )
    return folder


def test_splits_are_the_official_lists_in_their_order(raw):
    lines = (raw / "val.txt").read_text().splitlines()
    (raw / "val.txt").write_text("\n".join(lines[:1:-1]))  # fewer, reversed
    folder = make(raw)
    assert open_source("camvid", folder, "train").names == FRAMES["train"]
    assert open_source("camvid", folder, "val").names == FRAMES["val"][:1:-1]
    assert open_source("camvid", folder, "test").names == FRAMES["test"]


def test_void_is_ignored_and_other_ids_are_kept(raw):
    stored = open_source("camvid", make(raw), "train").read(1)
    expected = ids("0001TP_006720")
    np.testing.assert_array_equal(stored["label"], np.where(expected == 11, IGNORE, expected))
    np.testing.assert_array_equal(stored["image"], picture("0001TP_006720"))


@pytest.mark.parametrize("gap", [2, 4])
def test_video_holds_the_val_frames_with_both_neighbors(raw, gap):
    source = open_source("camvid", make(raw, frame_gap=gap), "video")
    step = gap // 2
    names = FRAMES["val"]
    assert source.names == names[step:-step]
    found = source.read(0)["neighbors"]
    np.testing.assert_array_equal(found, [picture(names[0]), picture(names[2 * step])])


def test_only_video_has_neighbors(raw):
    folder = make(raw)
    fields = {split: open_source("camvid", folder, split).fields for split in (*FRAMES, "video")}
    assert fields == {
        "train": ("label",),
        "val": ("label",),
        "test": ("label",),
        "video": ("neighbors", "label"),
    }


def test_a_gap_without_frames_names_the_spacing_there_is(raw):
    with pytest.raises(ValueError, match=r"neighbors 3 video frames away; frames there are 2 apart: set frame_gap"):
        make(raw, frame_gap=3)


def test_intrinsics_follow_the_stored_size(raw):
    stored = open_source("camvid", make(raw, size=(6, 8)), "train").read(0)["intrinsics"]
    scale = 8 / 480  # pixels keep their shape: 360x480 -> 6x8 by way of 12x16
    i = INTRINSICS
    expected = [i.fx * scale, i.fy * scale, (i.cx + 0.5) * scale - 0.5, (i.cy + 0.5) * scale - 0.5]
    np.testing.assert_allclose(stored, expected, rtol=1e-6, atol=0)  # stored as float32


def test_jpeg_images_are_found_under_the_listed_png_name(raw):
    path = raw / "train" / "0016E5_00390.png"
    Image.open(path).save(path.with_suffix(".jpg"))
    path.unlink()
    assert open_source("camvid", make(raw), "train").names == FRAMES["train"]


def break_label_id(raw):
    label = ids("0001TP_006690")
    label[0, 0] = 12
    Image.fromarray(label).save(raw / "trainannot" / "0001TP_006690.png")


def break_label_size(raw):
    Image.fromarray(ids("0001TP_006690")[:, :-1]).save(raw / "trainannot" / "0001TP_006690.png")


def break_label_mode(raw):
    Image.fromarray(picture("0001TP_006690")).save(raw / "trainannot" / "0001TP_006690.png")


def truncate(raw):
    path = raw / "train" / "0001TP_006690.png"
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda raw: (raw / "train.txt").unlink(),
            r"Missing raw files of 'camvid': '.*/train.txt'; expected a folder",
        ),
        (
            lambda raw: (raw / "train" / "0001TP_006690.png").unlink(),
            r"Missing .*/train/0001TP_006690.png', which '.*train.txt' lists; expected",
        ),
        (
            lambda raw: (raw / "trainannot" / "0001TP_006690.png").unlink(),
            r"Missing .*/trainannot/0001TP_006690.png'",
        ),
        (truncate, r"cannot read '.*/train/0001TP_006690.png' \(.*truncated.*\); replace the file"),
        (
            break_label_size,
            r"label '.*annot/0001TP_006690.png' is 12x15 but image '.*/0001TP_006690.png' is 12x16",
        ),
        (
            break_label_id,
            r"label '.*annot/0001TP_006690.png' has ids \[12\] outside label space 'camvid' \(0..10, ",
        ),
        (break_label_mode, r"label '.*annot/0001TP_006690.png' has mode RGB; expected ids"),
        (
            lambda raw: (raw / "train.txt").write_text("only_one\n"),
            r"train.txt' has the line 'only_one'; expected",
        ),
    ],
)
def test_damaged_raw_files_are_named_in_one_line(raw, damage, message):
    damage(raw)
    with pytest.raises(ValueError, match=message) as error:
        make(raw)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("missing", "message"), [("no", "does not exist; expected"), (None, "needs raw files; set raw")]
)
def test_a_missing_raw_folder_says_what_is_expected(tmp_path, missing, message):
    with pytest.raises(ValueError, match=message + r".*\{train,val,test\}annot/\*\.png"):
        prepare("camvid", raw_dir=missing and tmp_path / missing, prepared_dir=tmp_path, size=SHAPE)


@pytest.mark.skipif(not KIT.is_dir(), reason="CamVid itself is not in ../shared/data/camvid")
def test_the_real_clip_trains_depth(tmp_path):
    size = (90, 120)
    prepare("camvid", raw_dir=KIT, prepared_dir=tmp_path, size=size, splits=["video"], workers=1)
    source = open_source("camvid", tmp_path, "video")
    assert len(source) == 99
    assert all(re.fullmatch(r"0016E5_0[78]\d{3}", name) for name in source.names)
    batch = next(memory_batches(source, seed=0, batch_size=2, crop=(64, 96)))
    assert batch.neighbors.shape == (2, 2, 64, 96, 3)
    # neighbors show the same street a moment away: nearer to the target than to an unrelated sample
    near = np.abs(batch.neighbors[:, 0].astype(int) - batch.image).mean()
    far = np.abs(batch.image[0].astype(int) - batch.image[1]).mean()
    assert near < far
