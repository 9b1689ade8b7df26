"""A tiny KITTI raw: 24x80 pictures, two days, drives of all splits, scans of a wall and a road."""

import numpy as np
from PIL import Image

SHAPE = (24, 80)  # a scaled-down 375x1242
DAYS = ("2011_09_26", "2011_09_30")
FOCAL, CENTER = 46.0, (39.25, 11.0)
SHIFT = {"02": 0.06, "03": -0.47}  # metres, reference to camera, along x
VIDEO = {"2011_09_26_drive_0001_sync": 5, "2011_09_30_drive_0033_sync": 4}  # drive -> frames
SCANNED = (  # one frame each
    *("2011_09_26_drive_0060_sync", "2011_09_26_drive_0070_sync", "2011_09_30_drive_0020_sync"),  # val
    *("2011_09_26_drive_0002_sync", "2011_09_26_drive_0117_sync", "2011_09_30_drive_0016_sync"),  # test
)


def rotation(x, y, z):
    """Turned by angles [rad] about the axes, x first."""
    (sx, sy, sz), (cx, cy, cz) = np.sin([x, y, z]), np.cos([x, y, z])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


RECTIFY = rotation(0.004, -0.007, -0.01)
CAMERA_FROM_SCANNER = rotation(-0.01, 0.001, 0.008) @ np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]])
SCANNER_SHIFT = np.array([-0.004, -0.076, -0.27])


def projection(number):
    matrix = np.array([[FOCAL, 0, CENTER[0], 0], [0, FOCAL, CENTER[1], 0], [0, 0, 1, 0]])
    matrix[:, 3] = matrix[:, :3] @ [SHIFT[number], -0.0004, 0.003]
    return matrix


def line(key, values):
    return f"{key}: {' '.join(f'{value:.6e}' for value in np.ravel(values))}\n"


def write_calibration(folder):
    """Both files of a day."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "calib_time: 09-Jan-2012 13:57:47\ncorner_dist: 9.950000e-02\n" + line("R_rect_00", RECTIFY)
    for number in SHIFT:
        text += line(f"S_{number}", (90, 30)) + line(f"S_rect_{number}", SHAPE[::-1])
        text += line(f"P_rect_{number}", projection(number))
    (folder / "calib_cam_to_cam.txt").write_text(text)
    text = "calib_time: 15-Mar-2012 11:37:16\n" + line("R", CAMERA_FROM_SCANNER) + line("T", SCANNER_SHIFT)
    (folder / "calib_velo_to_cam.txt").write_text(text + line("delta_f", (0, 0)))


def picture(name):
    """Noise that only depends on the name."""
    return np.random.default_rng(list(name.encode())).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def scan():
    """Points [N,4], float32: a wall 12 m ahead, the road 1.7 m below, something behind."""
    y, z = np.meshgrid(np.linspace(-10, 10, 41), np.linspace(-1.5, 2, 8))
    wall = np.stack([np.full(y.size, 12.0), y.ravel(), z.ravel()], -1)
    x, y = np.meshgrid(np.linspace(4, 11, 15), np.linspace(-5, 5, 21))
    road = np.stack([x.ravel(), y.ravel(), np.full(x.size, -1.7)], -1)
    points = np.concatenate([wall, road, [[-5.0, 0, 0], [-20, 1, 1]]])
    return np.column_stack([points, np.full(len(points), 0.5)]).astype("<f4")


def write_drive(root, drive, frames, cameras=("02", "03"), scans=(), ending=".png"):
    """Frames (numbers) of a drive, and scans."""
    folder = root / drive[:10] / drive
    for camera in cameras:
        (folder / f"image_{camera}" / "data").mkdir(parents=True, exist_ok=True)
        for frame in frames:
            path = folder / f"image_{camera}" / "data" / f"{frame:010d}{ending}"
            Image.fromarray(picture(f"{drive}_{camera}_{frame}")).save(path)
    for frame in scans:
        path = folder / "velodyne_points" / "data" / f"{frame:010d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scan().tobytes())
    return folder


def write(root):
    """Drives of every split."""
    for day in DAYS:
        write_calibration(root / day)
    for drive, count in VIDEO.items():
        write_drive(root, drive, range(count), scans=range(count))
    for drive in SCANNED:
        write_drive(root, drive, [0], scans=[0])
