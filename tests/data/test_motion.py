import itertools
import pathlib

import cv2
import numpy as np
import pytest

from sde_seg_jax.data.raw_files import motion

KIT = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "video"


def wall(shift):
    """A wall of soft random spots, moved by `shift` of 320 pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (180, 640), np.uint8)
    soft = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    return motion.thumbnail(soft[:, shift : shift + 320])


def test_motion_is_percent_of_the_width():
    # 4 of 320 pixels; optical flow is good to a tenth of that here
    assert motion.motion(wall(0), wall(4)) == pytest.approx(100 * 4 / 320, rel=0.1)


def test_a_still_camera_does_not_move():
    assert motion.motion(wall(7), wall(7)) < 0.01  # percent: a hundredth of a pixel of the thumbnail


def test_a_moving_object_is_not_camera_motion():
    other = wall(0).copy()
    other[20:60, 30:80] = wall(9)[20:60, 30:80]
    assert motion.motion(wall(0), other) < 0.05  # percent


def kept(shifts, least):
    chooser = motion.Chooser(least)
    return [index for index, shift in enumerate(shifts) if chooser.keeps(wall(shift))]


def test_slow_motion_adds_up_until_a_frame_is_kept():
    assert kept(range(0, 16), least=1.1) == [0, 4, 8, 12]  # a pixel is 0.31 %


def test_standstill_is_left_out():
    assert kept([0, 5, 10, 10, 10, 10, 15], least=1.0) == [0, 1, 2, 6]


def test_any_shape_has_a_thumbnail():
    for shape in ((1, 1), (3, 1000), (1000, 3)):
        small = motion.thumbnail(np.zeros(shape, np.uint8))
        assert small.shape == motion.thumbnail_size(*shape)
        assert motion.motion(small, small) == 0


@pytest.mark.skipif(not KIT.is_dir(), reason="the real videos are not in ../shared/data/video")
@pytest.mark.parametrize(
    ("folder", "median", "static"),  # percent of the width, share below 0.05 %; as the kit states them
    [("kitti_color_jam_78_lidar/image", 0.2, 0.29), ("kitti_odom00_gray_200/image_left", 1.0, 0.0)],
)
def test_real_clips_move_as_measured_at_full_size(folder, median, static):
    frames = [motion.thumbnail(cv2.imread(str(path), 0)) for path in sorted((KIT / folder).iterdir())]
    moved = np.array([motion.motion(a, b) for a, b in itertools.pairwise(frames)])
    assert np.median(moved) == pytest.approx(median, rel=0.3)  # another flow, at an eighth of the size
    assert (moved < 0.05).mean() == pytest.approx(static, abs=0.03)
