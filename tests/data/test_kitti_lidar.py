"""Calibration files and laser scans of KITTI, against OpenCV's projection."""

import pathlib

import cv2
import numpy as np
import pytest
import tree_kitti

from sde_seg_jax.data.raw_files.kitti_calibration import camera_from_scanner, read_camera
from sde_seg_jax.data.raw_files.lidar import depth_map, read_points
from sde_seg_jax.types import Intrinsics

SCAN = (
    pathlib.Path(__file__).resolve().parents[3]
    / "shared/data/formats/kitti_object/training/velodyne_reduced/000008.bin"
)
AHEAD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])  # a camera in the scanner, looking along its x
CAMERA = Intrinsics(fx=10.0, fy=10.0, cx=3.0, cy=2.0)
SIZE = (5, 7)
# The published calibration of 2011_09_26, rounded; the scan is of that day.
RECTIFY = np.array([[0.9999, 0.0098, -0.0074], [-0.0099, 0.9999, -0.0043], [0.0074, 0.0044, 1.0]])
TURN = np.array([[0.0075, -1.0, -0.0006], [0.0148, 0.0007, -0.9999], [0.9999, 0.0075, 0.0148]])
SHIFT, OFFSET = np.array([-0.0041, -0.0763, -0.2718]), np.array([0.0598, -0.0004, 0.0027])
KITTI, KITTI_SIZE = Intrinsics(fx=721.5377, fy=721.5377, cx=609.5593, cy=172.854), (375, 1242)


def at(column, row, depth):
    """The point that CAMERA sees at a pixel, in the scanner's axes."""
    return [depth, -(column - CAMERA.cx) / CAMERA.fx * depth, -(row - CAMERA.cy) / CAMERA.fy * depth]


def project(*points):
    return depth_map(np.array(points, np.float32), AHEAD, CAMERA, SIZE)


def test_a_point_lies_at_its_pixel_with_its_depth_along_the_axis():
    expected = np.zeros(SIZE, np.float32)
    expected[1, 5] = 8
    np.testing.assert_array_equal(project(at(5, 1, 8.0)), expected)


def test_the_nearest_of_several_points_wins_in_any_order():
    for depths in ([4.0, 9.0, 6.0], [9.0, 6.0, 4.0]):
        assert project(*(at(2.2, 3.1, depth) for depth in depths))[3, 2] == 4


def test_a_pixel_reaches_half_a_pixel_around_its_centre():
    found = project(at(-0.49, 0, 2.0), at(6.49, 4.49, 3.0), at(2.51, 2, 5.0))
    assert found[0, 0] == 2
    assert found[4, 6] == 3
    assert found[2, 3] == 5


def test_points_behind_or_outside_or_not_finite_are_dropped():
    far = [1e-30, 1e8, 0]  # its pixel has no integer
    bad = [[-8.0, 0, 0], [0, 0, 0], at(-0.51, 2, 4.0), at(6.51, 2, 4.0), at(3, 4.51, 4.0), [np.nan, 0, 0], far]
    assert not project(*bad).any()


def opencv_depth(points, turn, shift, intrinsics, size):
    """The same map with cv2.projectPoints and a loop."""
    points = points.astype(np.float64)
    depth = (points @ turn.T + shift)[:, 2]
    points, depth = points[depth > 0], depth[depth > 0]
    i = intrinsics
    matrix = np.array([[i.fx, 0, i.cx], [0, i.fy, i.cy], [0, 0, 1]])
    pixels, _ = cv2.projectPoints(points[:, None], cv2.Rodrigues(turn)[0], shift, matrix, None)
    found = np.full(size, np.inf)
    for (x, y), z in zip(pixels[:, 0], depth, strict=True):
        if -0.5 <= x < size[1] - 0.5 and -0.5 <= y < size[0] - 0.5:
            place = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
            found[place] = min(found[place], z)
    return np.where(np.isinf(found), 0, found)


def assert_same_depth(found, expected):
    np.testing.assert_array_equal(found > 0, expected > 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)  # float32 of up to 80 m


def test_the_depth_of_a_tree_is_opencvs(tmp_path):
    tree_kitti.write_calibration(tmp_path)
    camera = read_camera(tmp_path, "03")
    pose = camera_from_scanner(camera, tmp_path)
    points = tree_kitti.scan()[:, :3]
    found = depth_map(points, pose, camera.intrinsics, camera.size)
    assert_same_depth(found, opencv_depth(points, pose[:, :3], pose[:, 3], camera.intrinsics, camera.size))
    assert 100 < (found > 0).sum() < len(points)
    assert 4 < found[found > 0].min() < found.max() < 13


@pytest.mark.skipif(not SCAN.is_file(), reason="the real scan is not in ../shared/data")
def test_the_depth_of_a_real_scan_is_opencvs_and_fills_the_image():
    points = read_points(SCAN)
    nearest = [np.linalg.svd(matrix) for matrix in (RECTIFY, TURN)]  # rounded matrices are no rotations
    rectify, turn = (u @ vh for u, _, vh in nearest)
    pose = np.column_stack([rectify @ turn, rectify @ SHIFT + OFFSET])
    found = depth_map(points, pose, KITTI, KITTI_SIZE)
    assert_same_depth(found, opencv_depth(points, pose[:, :3], pose[:, 3], KITTI, KITTI_SIZE))
    # the file holds what KITTI's own tools found to be in view: hardly a point shares a pixel or falls out
    assert len(points) == 17238
    assert (found > 0).sum() > 0.98 * len(points)
    rows = np.flatnonzero(found.any(axis=1))
    assert 110 < rows[0] < 130  # the scanner looks 2 degrees up
    assert rows[-1] == KITTI_SIZE[0] - 1


def test_points_are_read_without_reflectance(tmp_path):
    (tmp_path / "0.bin").write_bytes(tree_kitti.scan().tobytes())
    np.testing.assert_array_equal(read_points(tmp_path / "0.bin"), tree_kitti.scan()[:, :3])


@pytest.mark.parametrize(("content", "message"), [(b"", "0 bytes"), (bytes(39), "39 bytes"), (None, "No such file")])
def test_a_broken_scan_is_named(tmp_path, content, message):
    path = tmp_path / "0000000003.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"cannot read scan '.*/0000000003.bin'.*{message}.*; replace the file"):
        read_points(path)


def test_a_camera_is_the_rectified_one(tmp_path):
    tree_kitti.write_calibration(tmp_path)
    for number, shift in tree_kitti.SHIFT.items():
        camera = read_camera(tmp_path, number)
        i = camera.intrinsics
        assert (i.fx, i.fy, i.cx, i.cy, camera.size) == (46.0, 46.0, 39.25, 11.0, tree_kitti.SHAPE)
        # the file has seven digits
        np.testing.assert_allclose(camera.camera_from_reference[:, :3], tree_kitti.RECTIFY, rtol=0, atol=1e-6)
        np.testing.assert_allclose(camera.camera_from_reference[:, 3], [shift, -0.0004, 0.003], rtol=0, atol=1e-6)


def test_a_point_of_the_scanner_appears_where_kittis_equation_says(tmp_path):
    tree_kitti.write_calibration(tmp_path)
    camera = read_camera(tmp_path, "02")
    point = np.array([9.0, 1.0, -0.5])
    x, y, w = tree_kitti.projection("02") @ [
        *(tree_kitti.RECTIFY @ (tree_kitti.CAMERA_FROM_SCANNER @ point + tree_kitti.SCANNER_SHIFT)),
        1,
    ]
    pose = camera_from_scanner(camera, tmp_path)
    seen = pose[:, :3] @ point + pose[:, 3]
    i = camera.intrinsics
    found = [i.fx * seen[0] / seen[2] + i.cx, i.fy * seen[1] / seen[2] + i.cy, seen[2]]
    np.testing.assert_allclose(found, [x / w, y / w, w], rtol=0, atol=1e-4)  # pixels, metres; seven digits in the file


def edit(name, old, new):
    def change(folder):
        path = folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


CAMERA_FILE, SCANNER_FILE = "calib_cam_to_cam.txt", "calib_velo_to_cam.txt"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / CAMERA_FILE).unlink(), r"cannot read calibration '.*cam_to_cam.txt' \(No such file"),
        (
            lambda folder: (folder / SCANNER_FILE).unlink(),
            r"cannot read calibration '.*velo_to_cam.txt' \(No such file",
        ),
        (edit(CAMERA_FILE, "P_rect_02", "P_rect_09"), r"'.*cam_to_cam.txt' has no line 'P_rect_02: ...'"),
        (
            edit(CAMERA_FILE, "P_rect_02: 4", "P_rect_02: x"),
            r"P_rect_02 is 'x.600000e\+01 0.000.*\.\.\.', expected 12 num",
        ),
        (edit(CAMERA_FILE, "P_rect_02: 4", "P_rect_02: -4"), r"focal lengths -46.0, 46.0 .* must be positive"),
        (edit(CAMERA_FILE, "P_rect_02: 4.600000e+01 0", "P_rect_02: 4.6e+01 1"), r"P_rect_02 is no pinhole camera"),
        (
            edit(CAMERA_FILE, "S_rect_02: 8.000000e+01 ", "S_rect_02: "),
            r"S_rect_02 is '2.400000e\+01', expected 2 numb",
        ),
        (edit(CAMERA_FILE, "R_rect_00: 9", "R_rect_00: 8"), r"R_rect_00 is no rotation"),
        (edit(SCANNER_FILE, "T: ", "T: nan "), r"'.*velo_to_cam.txt': T is 'nan .*', expected 3 numbers"),
        (edit(SCANNER_FILE, "R: ", "R: -1e300 1 "), r"'.*velo_to_cam.txt': R is '-1e300 .*', expected 9 numbers"),
        (lambda folder: (folder / CAMERA_FILE).write_bytes(b"\xff\xfe\x00"), r"has no line 'P_rect_02: ...'"),
        (lambda folder: (folder / CAMERA_FILE).write_bytes(b""), r"has no line 'P_rect_02: ...'"),
    ],
)
def test_a_broken_calibration_is_named_in_one_line(tmp_path, damage, message):
    tree_kitti.write_calibration(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message + r".*; download the day's calibration") as error:
        camera_from_scanner(read_camera(tmp_path, "02"), tmp_path)
    assert "\n" not in str(error.value)
