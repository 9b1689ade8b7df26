import pathlib
import pickle
import re

import numpy as np
import pytest
import tree_folder
from tree_folder import FRAMES, picture, save, write_video

from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.data.reading.source import open_source

SIZE = tree_folder.SHAPE


@pytest.fixture
def tree(tmp_path):
    tree_folder.write(tmp_path / "raw")
    return tmp_path / "raw"


@pytest.fixture
def bare(tmp_path):
    """A folder to fill, with a camera."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "camera.json").write_text('{"field_of_view": 60}')
    return tmp_path / "raw"


def items(root, split="train", problems=None, **options):
    return folder.items(split, root, problems=problems or Problems(), **folder.SPEC.complete(options))


def names(*arguments, **options):
    return [item.name for item in items(*arguments, **options)]


def make(root, **options):
    prepared = root.parent / "prepared"
    prepare(
        "folder",
        raw_dir=root,
        prepared_dir=prepared,
        size=SIZE,
        image_format="png",
        workers=1,
        **options,
    )
    return {split: open_source("folder", prepared, split) for split in options.get("splits", folder.SPEC.splits)}


def still_of(root, clip, numbers):
    for number in numbers:
        save(root / clip / f"frame{number}.png", picture(0))


def test_every_folder_and_every_video_is_a_clip(tree):
    save(tree / "first.jpeg", picture(0))
    save(tree / "rear" / "deeper" / "a.webp", picture(0))
    clips = {name.rpartition("/")[0] for split in ("train", "val") for name in names(tree, split)}
    assert clips == {"images", "front/straße", "rear", "rear/deeper", "tour"}


def test_frames_are_in_natural_order(bare):
    for name in ("frame10", "frame2", "frame1"):
        save(bare / "a" / f"{name}.png", picture(0))
    assert names(bare, min_motion=0) == ["a/frame1", "a/frame2"]
    assert names(bare, "val", min_motion=0) == ["a/frame10"]


def test_a_sample_is_read_as_it_lies_there(tree):
    found = {item.name: item for item in items(tree, "video")}
    example = folder.load(pickle.loads(pickle.dumps(found["front/straße/frame9"])), SIZE)
    np.testing.assert_array_equal(example["image"], picture(2))
    np.testing.assert_array_equal(example["neighbors"], [picture(1), picture(3)])
    example = folder.load(found["tour/000002"], SIZE)
    for image, number in zip((example["image"], *example["neighbors"]), (2, 1, 3), strict=True):
        error = np.abs(image.astype(int) - picture(number)).mean()  # H.264 halves the color's resolution
        assert error == min(np.abs(image.astype(int) - picture(n)).mean() for n in range(FRAMES))


def test_what_is_prepared_has_the_classes_and_fields_of_the_folder(tree):
    found = make(tree)
    assert found["train"].space.classes == ("road", "car")
    assert {split: source.fields for split, source in found.items()} == {
        "train": ("label",),
        "val": ("label",),
        "video": ("neighbors", "label"),
    }
    assert found["val"].labeled.all()
    assert found["train"].labeled.sum() == 5


def test_without_labels_there_are_no_classes_and_no_masks(bare):
    write_video(bare / "drive.mp4", [picture(number) for number in range(FRAMES)])
    found = make(bare)
    assert found["video"].space.num_classes == 0
    assert found["video"].fields == ("neighbors",)
    assert found["train"].fields == found["val"].fields == ()
    assert not found["video"].labeled.any()


def test_standstill_is_left_out_and_neighbors_are_the_frames_that_are_kept(bare):
    for index, number in enumerate((0, 1, 1, 1, 2, 3)):
        save(bare / "a" / f"{index}.png", picture(number))
    options = {"val_fraction": 0.01, "val_clips": ()}
    assert names(bare, **options) == ["a/0", "a/1", "a/4"]
    (item,) = items(bare, "video", **options)
    assert [pathlib.Path(path).stem for path in (item.image, *item.neighbors)] == ["1", "0", "4"]


def test_zero_motion_keeps_all_frames(bare):
    still_of(bare, "a", range(5))
    assert len(names(bare, min_motion=0)) + len(names(bare, "val", min_motion=0)) == 5


def test_a_labeled_frame_is_kept_even_at_standstill(tree):
    still_of(tree, "stop", range(4))
    for number in (2, 3):
        save(tree / "labels" / "stop" / f"frame{number}.png", np.full(SIZE, 7, np.uint8))
    found = names(tree, val_clips=["rear", "tour"])
    assert [name for name in found if name.startswith("stop")] == ["stop/frame0", "stop/frame2", "stop/frame3"]


def test_frame_step_strides_and_max_step_bounds_the_distance_of_neighbors(bare):
    write_video(bare / "a.mp4", [picture(number) for number in range(16)])
    options = {"min_motion": 0, "val_fraction": 0.01}
    assert names(bare, frame_step=3, **options) == [f"a/{i:06d}" for i in range(0, 15, 3)]
    assert len(names(bare, "video", frame_step=3, max_step=3, **options)) == 3
    with pytest.raises(ValueError, match=r"split 'video' of .* is empty; no three frames .* raise dataset.max_step"):
        items(bare, "video", frame_step=3, max_step=2, **options)


def test_validation_is_a_block_that_its_neighbors_do_not_train(bare):
    write_video(bare / "a.mp4", [picture(number) for number in range(16)])
    (bare / "classes.json").write_text('{"road": [128, 64, 128]}')
    for number in (0, 4, 8, 12):
        save(bare / "labels" / "a" / f"{number:06d}.png", np.zeros(SIZE, np.uint8))
    options = {"min_motion": 0, "val_fraction": 0.25}
    assert names(bare, "val", **options) == ["a/000012"]
    assert names(bare, **options) == [f"a/{i:06d}" for i in (*range(10), 15)]  # half of the gap is left out
    assert names(bare, "video", **options) == [f"a/{i:06d}" for i in range(1, 9)]


def test_everything_can_be_held_out_to_score_a_network(bare):
    write_video(bare / "a.mp4", [picture(number) for number in range(8)])
    (bare / "classes.json").write_text('{"road": [128, 64, 128]}')
    for number in (0, 4):
        save(bare / "labels" / "a" / f"{number:06d}.png", np.zeros(SIZE, np.uint8))
    assert names(bare, "val", val_fraction=1) == ["a/000000", "a/000004"]
    with pytest.raises(ValueError, match=r"'train' of .* is empty; hold out less: .*val_fraction"):
        items(bare, val_fraction=1)


def test_whole_clips_are_held_out_by_name(tree):
    assert names(tree, "val", val_clips=["tour"]) == ["tour/000000", "tour/000003", "tour/000004"]
    others = [name for split in ("train", "video") for name in names(tree, split, val_clips=["tour"])]
    assert {name.split("/")[0] for name in others} == {"front", "rear"}
    with pytest.raises(ValueError, match="names 'tuor'; the clips are front/straße, rear, tour"):
        items(tree, val_clips=["tuor"])
    with pytest.raises(ValueError, match=r"the clips rear of dataset\.val_clips have no labeled frames"):
        items(tree, "val", val_clips=["rear"])


@pytest.mark.parametrize("clips", [1, 3, 20])
def test_few_labels_share_the_held_out_fraction(bare, clips):
    for clip in range(clips):
        still_of(bare, f"clip{clip}", range(20 // clips))
    found = {split: names(bare, split, min_motion=0, val_fraction=0.1) for split in ("train", "val")}
    total = 20 // clips * clips
    assert len(found["val"]) == round(0.1 * total)
    assert len(found["train"]) == total - len(found["val"])


def test_strange_names_become_safe_and_stay_unique(bare):
    for name in ("a b", "a\tb", "日本 1", "é"):
        save(bare / "x" / f"{name}.png", picture(0))
    found = {*names(bare, min_motion=0), *names(bare, "val", min_motion=0)}
    assert found == {"x/a_b", "x/a_b_2", "x/日本_1", "x/é"}


def test_a_picture_taken_upright_is_read_upright(bare):
    from PIL import Image

    for number in range(4):
        path = bare / "phone" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise
        Image.fromarray(picture(number)).save(path, exif=exif, quality=95)
    item, *_ = items(bare)
    assert folder.load(item, SIZE)["image"].shape[:2] == SIZE[::-1]
    assert item.intrinsics[2:] == ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)


def test_a_single_pixel_is_an_image(bare):
    for number in range(3):
        save(bare / f"{number}.png", np.zeros((1, 1, 3), np.uint8))
    assert names(bare, "val", min_motion=0) == ["images/2"]
    assert folder.load(items(bare, min_motion=0)[0], SIZE)["image"].shape == (1, 1, 3)
    with pytest.raises(ValueError, match="there are 1 frames, but training and validation need one each"):
        items(bare)


def test_links_that_lead_back_up_end(bare):
    still_of(bare, "a", range(3))
    (bare / "a" / "again").symlink_to(bare, target_is_directory=True)
    assert len(names(bare, min_motion=0)) == 2


def empty(path):
    path.write_bytes(b"")


def other_size(root):
    save(root / "rear" / "frame99.png", np.zeros((8, 8, 3), np.uint8))


def two_suffixes(root):
    save(root / "rear" / "frame7.jpg", picture(0))


def label_alone(root):
    save(root / "labels" / "tour" / "000077.png", np.zeros(SIZE, np.uint8))


def bad_label(values):
    return lambda root: save(root / "labels" / "front/straße" / "frame7.png", values)


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


SINGLE = [  # one bad file among many: an error, or left out
    (lambda root: empty(root / "rear" / "frame8.png"), r"cannot read '.*/rear/frame8.png'"),
    (lambda root: empty(root / "tour2.mp4"), r"cannot read video '.*/tour2.mp4' \(.*\); copy it again"),
    (other_size, r"image '.*/frame99.png' is 8x8 but '.*/frame7.png' is 32x24; a folder of images is one clip"),
    (two_suffixes, r"'.*/frame7.(png|jpg)' and '.*/frame7.(jpg|png)' differ in nothing but their suffix; rename one"),
    (label_alone, r"labels have no image, the first is '.*/tour/000077.png'|label '.*/tour/000077.png' has no image"),
]


@pytest.mark.parametrize(("damage", "message"), SINGLE)
def test_a_bad_file_is_named_in_one_line_or_left_out(tree, damage, message):
    damage(tree)
    with pytest.raises(ValueError, match=message) as error:
        items(tree)
    assert "\n" not in str(error.value)
    for split in folder.SPEC.splits:
        problems = Problems(skip=True)
        assert items(tree, split, problems)
        (left_out,) = problems.left_out
        assert re.search(message, left_out)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: cut(root / "front/straße" / "frame7.png"), r"cannot read '.*/frame7.png' .*replace the file"),
        (lambda root: cut(root / "labels/front/straße" / "frame7.png"), r"cannot read '.*/frame7.png' .*replace the"),
        (bad_label(np.zeros((8, 8), np.uint8)), r"label '.*/frame7.png' is 8x8 but image '.*/frame7.png' is 24x32"),
        (bad_label(np.zeros(SIZE, np.uint16)), r"label '.*/frame7.png' has mode I;16 and 16 bits; expected class ids"),
        (bad_label(np.zeros((*SIZE, 4), np.uint8)[..., :2]), r"label '.*/frame7.png' has mode LA and 8 bits"),
        (
            lambda root: save(root / "front/straße" / "frame7.png", np.zeros(SIZE, np.uint16)),
            r"image '.*/frame7.png' has mode I;16, more than 8 bits; convert",
        ),
    ],
)
def test_a_damaged_file_is_named_when_it_is_read(tree, damage, message):
    damage(tree)
    with pytest.raises(ValueError, match=message) as error:
        make(tree, min_motion=0, splits=["train"])
    assert "\n" not in str(error.value)


def test_a_video_cut_short_is_used_and_listed(bare):
    noise = np.random.default_rng(0).integers(0, 256, (40, *SIZE, 3), np.uint8)
    path = write_video(bare / "long.mp4", list(noise), container={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    problems = Problems()
    found = items(bare, problems=problems, min_motion=0)
    assert 3 < len(found) < 36
    (message,) = problems.left_out
    assert "long.mp4' gives only" in message
    assert "of 40 frames" in message


def test_two_clips_of_one_name_are_refused(tree):
    save(tree / "tour" / "a.png", picture(0))
    with pytest.raises(ValueError, match=r"'.*/tour(.mp4)?' and '.*/tour(.mp4)?' are clips of one name, 'tour'"):
        items(tree)


def test_a_folder_without_images_says_what_belongs_there(bare):
    with pytest.raises(ValueError, match=r"'.*/raw' has no images and no videos \(.jpg, .*.webm\); set data.raw_dir"):
        items(bare)


@pytest.mark.parametrize(
    ("option", "value"), [("min_motion", -1), ("frame_step", 0), ("max_step", -1), ("val_fraction", 1.5)]
)
def test_an_option_out_of_range_is_named(tree, option, value):
    with pytest.raises(ValueError, match=f"{option} is {value}|{option} {value}"):
        items(tree, **{option: value})
