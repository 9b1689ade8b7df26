"""KITTI raw: which frames a split has, what a sample holds, and what is said about damaged trees."""

import numpy as np
import pytest
import tree_kitti
from PIL import Image
from tree_kitti import SHAPE, picture, write_calibration, write_drive

from sde_seg_jax.data.datasets import kitti
from sde_seg_jax.data.datasets.kitti import SPEC, TEST_DRIVES
from sde_seg_jax.data.raw_files import raw

DAY = "2011_09_26"
TRAIN, VAL, TEST = (f"{DAY}_drive_{number}_sync" for number in ("0001", "0060", "0002"))


@pytest.fixture
def tree(tmp_path):
    """The tiny tree with all splits."""
    tree_kitti.write(tmp_path)
    return tmp_path


@pytest.fixture
def one_day(tmp_path):
    """A day with its calibration and no drives yet."""
    write_calibration(tmp_path / DAY)
    return tmp_path


def items(root, split, skip=False, **options):
    problems = raw.Problems(skip=skip)
    found = SPEC.items(split, root, problems=problems, **SPEC.complete(options))
    return (found, problems.left_out) if skip else found


def names(found):
    return [item.name for item in found]


def listed(root, *lines):
    path = root / "list.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_the_test_drives_are_the_28_of_eigen():
    assert sum(map(len, TEST_DRIVES.values())) == 28
    assert {f"{day}_drive_{n:04d}" for day, numbers in TEST_DRIVES.items() for n in numbers} >= {
        *("2011_09_26_drive_0002", "2011_09_26_drive_0117", "2011_09_28_drive_0002", "2011_09_29_drive_0071"),
        *("2011_09_30_drive_0016", "2011_09_30_drive_0018", "2011_09_30_drive_0027"),
        *("2011_10_03_drive_0027", "2011_10_03_drive_0047"),
    }


def test_every_drive_belongs_to_one_split_whatever_else_is_there(tree):
    assert {item.name[:26] for item in items(tree, "video")} == set(tree_kitti.VIDEO)
    assert [item.name[:26] for item in items(tree, "val")] == sorted(tree_kitti.SCANNED[:3])
    assert [item.name[:26] for item in items(tree, "test")] == sorted(tree_kitti.SCANNED[3:])


def test_video_holds_the_frames_with_both_neighbors_of_both_cameras(one_day):
    write_drive(one_day, TRAIN, [0, 1, 2, 3, 5, 6])
    wanted = [f"{TRAIN}_{camera}_000000000{frame}" for camera in ("02", "03") for frame in (1, 2)]
    assert names(items(one_day, "video")) == wanted
    assert names(items(one_day, "video", cameras=("image_03",))) == wanted[2:]
    assert names(items(one_day, "video", sequence_step=2)) == wanted[::2]


def test_test_holds_every_tenth_left_frame_with_a_scan(one_day):
    write_drive(one_day, TEST, range(14), scans=range(2, 14))
    assert names(items(one_day, "test")) == [f"{TEST}_02_{frame:010d}" for frame in (2, 12)]
    assert len(items(one_day, "test", test_step=1)) == 12


def test_a_sample_of_video_is_the_frame_between_its_neighbors(tree):
    item = items(tree, "video")[1]
    example = SPEC.load(item, SHAPE)
    assert example["name"] == f"{TRAIN}_02_0000000002"
    np.testing.assert_array_equal(example["image"], picture(f"{TRAIN}_02_2"))
    np.testing.assert_array_equal(example["neighbors"], [picture(f"{TRAIN}_02_{frame}") for frame in (1, 3)])
    assert example["intrinsics"] == (46.0, 46.0, 39.25, 11.0)
    assert not {"depth", "label"} & example.keys()


def test_a_sample_of_test_has_depth_and_no_neighbors(tree):
    example = SPEC.load(items(tree, "test")[0], SHAPE)
    depth = example["depth"]
    assert (depth.shape, depth.dtype) == (SHAPE, np.float32)
    wall = depth[depth > 11]
    np.testing.assert_allclose(wall, 11.73, rtol=0, atol=0.3)  # 12 m from the scanner, 0.27 m behind; slightly turned
    assert 6 < depth[-1][depth[-1] > 0].min() < 7  # the road: 1.7 m below, 46 px * 1.7 m / 12 px
    assert "neighbors" not in example


def test_smaller_images_have_a_smaller_camera(one_day):
    folder = write_drive(one_day, TEST, [0], cameras=("02",), scans=[0])
    path = folder / "image_02/data/0000000000.png"
    Image.open(path).resize((40, 12)).save(path)
    example = SPEC.load(items(one_day, "test")[0], SHAPE)
    assert example["intrinsics"] == (23.0, 23.0, (39.25 + 0.5) / 2 - 0.5, (11 + 0.5) / 2 - 0.5)
    assert example["depth"].shape == (12, 40)
    assert (example["depth"] > 0).mean() > 0.2


def test_jpeg_conversions_are_read_and_originals_win(one_day):
    write_drive(one_day, TRAIN, range(3), cameras=("02",), ending=".jpg")
    assert items(one_day, "video", cameras=("image_02",))[0].image.endswith("0000000001.jpg")
    write_drive(one_day, TRAIN, range(3), cameras=("02",))
    assert items(one_day, "video", cameras=("image_02",))[0].image.endswith("0000000001.png")


def test_a_list_decides_which_frames_and_in_which_order(tree):
    path = listed(tree, f"{DAY}/{TRAIN} 3 r", "", f"{DAY}/{TRAIN} 0000000001 l", f"{DAY}/{TRAIN} 2")
    found = names(items(tree, "video", train_list=path))
    assert found == [f"{TRAIN}_{place}" for place in ("03_0000000003", "02_0000000001", "02_0000000002")]
    path = listed(tree, f"{DAY}/{TEST} 0000000000 l")
    assert names(items(tree, "test", test_list=path)) == [f"{TEST}_02_0000000000"]


def test_a_frame_listed_twice_counts_once(tree):
    path = listed(tree, f"{DAY}/{TRAIN} 1 l", f"{DAY}/{TRAIN} 0000000001 l")
    found, left_out = items(tree, "video", skip=True, train_list=path)
    assert names(found) == [f"{TRAIN}_02_0000000001"]
    assert left_out == [f"'{path}' line 2 repeats {TRAIN}_02_0000000001"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            f"{DAY}/{TRAIN} 9 l",
            rf"'.*{TRAIN}/image_02/data' has no frame 0000000009 \(.png or .jpg\); download .* again",
        ),
        (f"{DAY}/{TRAIN} 0 r", r"'.*image_03/data' has no frame beside 0000000000 \(-1 or \+1\): no depth from video"),
        (f"{DAY}/{DAY}_drive_0099_sync 1 l", r"'.*_drive_0099_sync' does not exist; download that drive"),
        (f"{DAY}/{TRAIN} one l", r"'.*list.txt' line 2 is '.* one l'; expected <date>/<drive> <frame> l \(or r\)"),
        (f"{TRAIN} 1 l", r"line 2 is "),
        (f"2011_09_30/{TRAIN} 1 l", r"line 2 is "),
        (f"{DAY}/{TRAIN} 1 left", r"line 2 is "),
        (f"{DAY}/{TRAIN}/image_02/data/0000000001.png", r"line 2 is "),
    ],
)
def test_a_line_that_fits_no_frame_is_named_or_left_out(tree, line, message):
    path = listed(tree, f"{DAY}/{TRAIN} 2 l", line)
    with pytest.raises(ValueError, match=message) as error:
        items(tree, "video", train_list=path)
    assert "\n" not in str(error.value)
    found, left_out = items(tree, "video", skip=True, train_list=path)
    assert names(found) == [f"{TRAIN}_02_0000000002"]
    assert len(left_out) == 1


def test_a_missing_drive_is_told_once_for_all_its_lines(tree):
    lines = [f"{DAY}/{TRAIN} 1 l", *(f"{DAY}/{DAY}_drive_0099_sync {frame} l" for frame in range(5))]
    assert len(items(tree, "video", skip=True, train_list=listed(tree, *lines))[1]) == 1


def test_a_list_names_a_test_frame_without_scan(tree):
    (tree / DAY / TEST / "velodyne_points/data/0000000000.bin").unlink()
    with pytest.raises(ValueError, match=r"'.*velodyne_points/data' has no 0000000000.bin: no laser scan"):
        items(tree, "test", test_list=listed(tree, f"{DAY}/{TEST} 0 l"))


@pytest.mark.parametrize(("content", "message"), [(b"", "names no frames"), (b"Stra\xdfe", "cannot read list")])
def test_an_unusable_list_is_named(tree, content, message):
    (tree / "list.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"{message}|list '.*list.txt' {message}") as error:
        items(tree, "video", train_list=str(tree / "list.txt"))
    assert "list.txt'" in str(error.value)


def test_a_missing_list_is_named(tree):
    with pytest.raises(ValueError, match=r"cannot read list '.*no.txt' .*; give a text file of lines <date>/<drive>"):
        items(tree, "test", test_list=str(tree / "no.txt"))


def test_held_out_drives_and_a_list_for_training_do_not_mix(tree):
    with pytest.raises(ValueError, match="set val_list too"):
        items(tree, "val", train_list=listed(tree, f"{DAY}/{VAL} 1 l"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cameras": ("image_00",)}, r"no cameras \('image_00',\); choose one or both of \('image_02', 'image_03'\)"),
        ({"cameras": "image_02"}, r"no cameras 'image_02'"),
        ({"cameras": ()}, r"no cameras \(\)"),
        ({"sequence_step": 0}, r"sequence_step is 0; expected 1"),
    ],
)
def test_impossible_options_are_refused(tree, options, message):
    with pytest.raises(ValueError, match=message):
        items(tree, "video", **options)


def test_a_calibration_that_is_missing_is_named_before_any_work(tree):
    (tree / DAY / "calib_velo_to_cam.txt").unlink()
    assert len(items(tree, "video")) == 2 * (3 + 2)  # needs no scanner
    with pytest.raises(
        ValueError, match=r"cannot read calibration '.*2011_09_26/calib_velo_to_cam.txt' \(No such file"
    ):
        items(tree, "test")


@pytest.mark.parametrize("split", SPEC.splits)
def test_a_folder_without_drives_says_what_is_expected(tmp_path, split):
    with pytest.raises(ValueError, match=r"has no <date>/<date>_drive_NNNN_sync; expected <date>/calib_cam_to_cam.txt"):
        items(tmp_path, split)


def test_drives_beside_the_days_say_where_they_belong(tree):
    with pytest.raises(ValueError, match=r"'.*2011_09_26' holds drives itself; .* raw_dir is the folder of the days"):
        items(tree / DAY, "video")


@pytest.mark.parametrize(("split", "kept"), [("video", TEST), ("val", TEST), ("test", TRAIN)])
def test_a_split_without_drives_says_which_it_needs(one_day, split, kept):
    write_drive(one_day, kept, range(3), scans=range(3))
    with pytest.raises(ValueError, match=rf"has no drive of split '{split}', which are .*; download one") as error:
        items(one_day, split)
    assert "\n" not in str(error.value)


def test_a_drive_without_frames_is_told_or_left_out(tree):
    (tree / DAY / f"{DAY}_drive_0003_sync" / "image_02").mkdir(parents=True)
    with pytest.raises(
        ValueError, match=r"'.*_drive_0003_sync/image_02/data' has no frames; download the drive again, or"
    ):
        items(tree, "video")
    found, left_out = items(tree, "video", skip=True)
    assert len(found) == 10
    assert len(left_out) == 2  # both cameras


def test_a_drive_without_scans_is_told_or_left_out(tree):
    write_drive(tree, f"{DAY}_drive_0009_sync", [0])
    with pytest.raises(
        ValueError, match=r"'.*_drive_0009_sync/velodyne_points/data' has no frames; .* out split 'test'"
    ):
        items(tree, "test")
    found, left_out = items(tree, "test", skip=True)
    assert (len(found), len(left_out)) == (3, 1)


def test_drives_too_short_for_neighbors_are_no_split(one_day):
    write_drive(one_day, TRAIN, range(2))
    with pytest.raises(
        ValueError, match=r"no frame of the drives of split 'video' in '.*' has an image and both neighb"
    ):
        items(one_day, "video")


def truncate(path):
    path.write_bytes(path.read_bytes()[:1003])


def crop(path):
    Image.open(path).crop((0, 0, 60, 24)).save(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda drive: truncate(drive / "image_02/data/0000000000.png"),
            r"cannot read '.*0000000000.png' \(.*; replace",
        ),
        (
            lambda drive: truncate(drive / "velodyne_points/data/0000000000.bin"),
            r"cannot read scan '.*0000.bin': \d+ byt",
        ),
        (
            lambda drive: crop(drive / "image_02/data/0000000000.png"),
            r"image '.*' is 24x60 but its day.*for 24x80 \(h x",
        ),
    ],
)
def test_a_damaged_sample_is_named(tree, damage, message):
    damage(tree / DAY / TEST)
    with pytest.raises(ValueError, match=message) as error:
        SPEC.load(items(tree, "test")[0], SHAPE)
    assert "\n" not in str(error.value)


def test_other_files_beside_the_frames_do_not_matter(tree):
    before = items(tree, "video")
    for name in ("timestamps.txt", "data/Thumbs.db", "data/notes.png", "data/._0000000001.png"):
        (tree / DAY / TRAIN / "image_02" / name).write_bytes(b"x")
    (tree / DAY / f"{DAY}_drive_0001_extract").mkdir()
    assert items(tree, "video") == before


def test_names_tell_drive_camera_and_frame(tree):
    found = [item.name for split in SPEC.splits for item in items(tree, split)]
    assert f"{TRAIN}_02_0000000001" in found
    assert len(set(found)) == len(found)


def test_the_rule_for_val_depends_on_the_number_only(tmp_path):
    splits = {number: kitti.split_of(tmp_path / DAY / f"{DAY}_drive_{number:04d}_sync") for number in range(118)}
    assert sorted(n for n, split in splits.items() if split == "test") == list(TEST_DRIVES[DAY])
    assert [n for n, split in splits.items() if split == "val"] == [0, 10, 30, 40, 50, 60, 70, 80, 90, 100, 110]
