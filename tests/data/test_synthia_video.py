import shutil

import numpy as np
import pytest
from driving_trees import ids, picture, save
from synthetic_trees import SHAPE, VIEW, examples, listed, save_16_bit, write_synthia_video

from sde_seg_jax.data.datasets import synthia_video
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.types import IGNORE

SUMMER, FALL = "SYNTHIA-SEQS-01-SUMMER", "SYNTHIA-SEQS-02-FALL"
IMAGE, LABEL = f"{SUMMER}/RGB/{VIEW}/000001.png", f"{SUMMER}/GT/COLOR/{VIEW}/000001.png"
CAMERA = f"{SUMMER}/CameraParams/intrinsics.txt"
NAMES = [f"{SUMMER}_Stereo_Left_Omni_F_{number:06d}" for number in (1, 2, 3)] + [f"{FALL}_Stereo_Left_Omni_F_000011"]


@pytest.fixture
def raw(tmp_path):
    write_synthia_video(tmp_path / "raw")
    return tmp_path / "raw"


def video(raw, **options):
    return examples("synthia_video", raw, "video", **options)


def test_every_frame_with_both_neighbors_counts_and_needs_no_label(raw):
    for sequence in (SUMMER, FALL):
        shutil.rmtree(raw / sequence / "GT")
    found = video(raw)
    assert [example["name"] for example in found] == NAMES
    np.testing.assert_array_equal(found[0]["image"], picture(SUMMER + "000001", SHAPE))
    expected = [picture(SUMMER + f"{number:06d}", SHAPE) for number in (0, 2)]
    np.testing.assert_array_equal(found[0]["neighbors"], expected)
    assert not any("label" in example for example in found)


def test_sequence_step_thins_the_video(raw):
    assert [example["name"] for example in video(raw, sequence_step=2)] == NAMES[::2]


def test_other_cameras_are_read_if_asked_for(raw):
    for sequence in (SUMMER, FALL):
        shutil.copytree(raw / sequence / "RGB" / VIEW, raw / sequence / "RGB/Stereo_Right/Omni_B")
    found = [example["name"] for example in video(raw, cameras=(VIEW, "Stereo_Right/Omni_B"))]
    assert len(found) == len(set(found)) == 8
    assert f"{FALL}_Stereo_Right_Omni_B_000011" in found


def test_labels_are_the_colors_of_cityscapes_and_void_is_ignored(raw):
    colors = np.array(list(synthia_video.COLORS), np.uint8)[ids("000001", 20, SHAPE)]
    save(raw / LABEL, colors)
    label = video(raw, labels=True)[0]["label"]
    np.testing.assert_array_equal(label, np.array([IGNORE, *range(19)])[ids("000001", 20, SHAPE)])


def test_other_colors_are_ignored_and_reported(raw):
    save(raw / LABEL, np.full((*SHAPE, 3), (128, 0, 0), np.uint8))  # building in SYNTHIA's own palette
    with pytest.warns(UserWarning, match=rf"'.*{LABEL}' has 1 unknown colors \[\(128, 0, 0\)\]: ignored"):
        label = video(raw, labels=True)[0]["label"]
    assert (label == IGNORE).all()


def test_the_camera_file_gives_the_focal_length_at_1280x760(raw):
    (raw / CAMERA).write_text("640.0 0 640\n0 640.0 380\n")
    found = video(raw)
    summer = [640 * 32 / 1280, 640 * 16 / 760, 15.5, 7.5]
    published = [0.4162034 * 32, 0.7009741473684211 * 16, 15.5, 7.5]  # FALL has no file
    np.testing.assert_allclose(found[0]["intrinsics"], summer, rtol=1e-12)
    np.testing.assert_allclose(found[3]["intrinsics"], published, rtol=1e-12)


def test_the_original_camera_file_and_the_published_camera_agree(raw):
    original = synthia_video.read_focal(raw / CAMERA)
    np.testing.assert_allclose(
        synthia_video.read_focal(raw / "none.txt"), original, rtol=1e-6
    )  # 7 digits are published


def truncate(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


def only_middle(raw):
    for path in raw.rglob("*.png"):
        if path.stem != "000001":
            path.unlink()


def swap(raw):
    (raw / SUMMER / "RGB").rename(raw / "x")
    (raw / SUMMER / "GT/COLOR").rename(raw / SUMMER / "RGB")
    (raw / "x").rename(raw / SUMMER / "GT/COLOR")


def noise(raw):
    swap(raw)
    save(raw / LABEL, picture("noise", (32, 32)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: [shutil.rmtree(path) for path in raw.iterdir()], r"raw' has no folders SYNTHIA-SEQS-\*; expected"),
        (lambda raw: shutil.rmtree(raw / SUMMER / "RGB"), rf"{SUMMER}/RGB/{VIEW}'; unpack '{SUMMER}' again, or change"),
        (lambda raw: shutil.rmtree(raw / FALL / "GT"), rf"{FALL}/GT/COLOR/{VIEW}'; unpack .*without the option labels"),
        (lambda raw: (raw / LABEL).unlink(), rf"1 of 5 images have no label, the first is '.*{IMAGE}'; unpack"),
        (lambda raw: (raw / IMAGE).unlink(), rf"1 of 5 labels have no image, the first is '.*{LABEL}'; unpack"),
        (noise, r"label '.*GT/COLOR.*' has \d+ unknown colors, so it is no label picture; are .* swapped"),
        (only_middle, r"no frame in '.*raw' has both neighbors; unpack"),
        (lambda raw: truncate(raw / IMAGE, 60), rf"cannot read '.*{IMAGE}' \(.*\); replace the file"),
        (lambda raw: truncate(raw / IMAGE, 0), rf"cannot read '.*{IMAGE}' \(.*\); replace the file"),
        (lambda raw: truncate(raw / LABEL, 0), rf"cannot read '.*{LABEL}' \(it is empty\); replace the file"),
        (lambda raw: save_16_bit(raw / LABEL, np.zeros(SHAPE)), r"has 16 bits, .*; expected 8-bit RGB"),
        (lambda raw: save(raw / LABEL, np.zeros(SHAPE, np.uint8)), r"has 8 bits, color type 0; expected 8-bit RGB"),
        (lambda raw: save(raw / LABEL, np.zeros((16, 30, 3), np.uint8)), r"is 16x30 but image '.*' is 16x32"),
        (lambda raw: (raw / CAMERA).write_text("K"), rf"cannot read camera '.*{CAMERA}' \(ValueError.*take it away"),
        (lambda raw: (raw / CAMERA).write_text(""), rf"cannot read camera '.*{CAMERA}' \(IndexError.*take it away"),
        (lambda raw: (raw / CAMERA).write_text("0.41 0"), rf"camera '.*{CAMERA}' starts with 0.41; expected a focal"),
        (lambda raw: (raw / CAMERA).write_text("nan"), rf"camera '.*{CAMERA}' starts with nan; expected a focal"),
    ],
)
def test_damaged_raw_files_are_named_in_one_line(raw, damage, message):
    damage(raw)
    with pytest.raises(ValueError, match=message) as error:
        video(raw, labels=True)
    assert "\n" not in str(error.value)


def test_a_sequence_as_the_raw_folder_names_the_one_above(raw):
    with pytest.raises(ValueError, match=rf"'.*{SUMMER}' has no folders SYNTHIA-SEQS-\*.*; set raw_dir to '{raw}'"):
        listed("synthia_video", raw / SUMMER, "video")


def test_a_sequence_with_a_broken_camera_can_be_left_out(raw):
    (raw / CAMERA).write_text("K")
    problems = Problems(skip=True)
    assert len(listed("synthia_video", raw, "video", problems=problems)) == 1
    assert len(problems.left_out) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_step": 0}, "sequence_step is 0; expected 1"),
        ({"cameras": VIEW}, rf"option cameras='{VIEW}' of 'synthia_video' is no list; write \('{VIEW}',\)"),
    ],
)
def test_options_that_do_not_fit_name_the_remedy(raw, options, message):
    with pytest.raises(ValueError, match=message):
        listed("synthia_video", raw, "video", **options)
