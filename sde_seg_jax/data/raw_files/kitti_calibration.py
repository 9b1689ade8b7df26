"""KITTI's calibration files: the rectified cameras, and where the laser scanner stands.

Geiger, Lenz, Stiller, Urtasun: Vision meets robotics: the KITTI dataset, IJRR 32(11), 2013, equations 3 to 7. A point
of the scanner appears at P_rect_0c R_rect_00 [R | T] x in the rectified image of camera c.
"""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from sde_seg_jax.data.spec import Size
from sde_seg_jax.geometry.camera import matrix
from sde_seg_jax.types import Intrinsics

CAMERAS, SCANNER = "calib_cam_to_cam.txt", "calib_velo_to_cam.txt"
REMEDY = "download the day's calibration (<date>_calib.zip) again and unpack it into raw_dir"
ROTATION_ERROR = 1e-3  # largest |R R^T - 1|; the published matrices have seven digits


@dataclasses.dataclass(frozen=True)
class RectifiedCamera:
    """One colour camera after rectification. Pixel centres are integers, as KITTI's projection has them."""

    intrinsics: Intrinsics  # in pixels of an image of `size`
    size: Size
    camera_from_reference: np.ndarray  # [3,4]: from the reference camera 0 before rectification to this camera, metres


def read_camera(day: pathlib.Path, number: str) -> RectifiedCamera:
    """Camera `number` ("02" left, "03" right) of the folder of a recording day.

    P_rect = K [1 | t]: rectified cameras differ by a shift t = K^-1 P_rect[:,3] only.

    Raises:
      ValueError: the file is missing, a line of it is missing or broken, or it describes no camera.
    """
    path = day / CAMERAS
    lines = _lines(path)
    projection = _numbers(lines, f"P_rect_{number}", 12, path).reshape(3, 4)
    rotation = _rotation(lines, "R_rect_00", path)
    width, height = (round(side) for side in _numbers(lines, f"S_rect_{number}", 2, path))
    intrinsics = Intrinsics(*(float(projection[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2))))
    if not (intrinsics.fx > 0 and intrinsics.fy > 0 and width > 0 and height > 0):
        raise ValueError(
            f"calibration '{path}': focal lengths {intrinsics.fx}, {intrinsics.fy} (P_rect_{number}) and size "
            f"{width}x{height} (S_rect_{number}) must be positive; {REMEDY}"
        )
    pinhole = matrix(intrinsics)
    if not np.array_equal(projection[:, :3], pinhole):
        raise ValueError(
            f"calibration '{path}': P_rect_{number} is no pinhole camera (fx 0 cx, 0 fy cy, 0 0 1); {REMEDY}"
        )
    shift = np.linalg.solve(pinhole, projection[:, 3:])
    return RectifiedCamera(intrinsics, (height, width), np.hstack([rotation, shift]))


def camera_from_scanner(camera: RectifiedCamera, day: pathlib.Path) -> np.ndarray:
    """[3,4]: from the laser scanner to a rectified camera of the same day, metres.

    Raises:
      ValueError: the file is missing, or a line of it is missing or broken.
    """
    path = day / SCANNER
    lines = _lines(path)
    rotation, shift = _rotation(lines, "R", path), _numbers(lines, "T", 3, path)
    rectify, offset = camera.camera_from_reference[:, :3], camera.camera_from_reference[:, 3]
    return np.column_stack([rectify @ rotation, rectify @ shift + offset])


def _lines(path: pathlib.Path) -> dict[str, str]:
    """key -> the rest of its line."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ValueError(f"cannot read calibration '{path}' ({error.strerror}); {REMEDY}") from error
    entries = (line.partition(":") for line in text.splitlines())
    return {key.strip(): rest.strip() for key, _, rest in entries}


def _numbers(lines: dict[str, str], key: str, count: int, path: pathlib.Path) -> np.ndarray:
    if key not in lines:
        raise ValueError(f"calibration '{path}' has no line '{key}: ...'; {REMEDY}")
    try:
        values = np.array([float(word) for word in lines[key].split()])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not np.isfinite(values).all():
        shown = lines[key] if len(lines[key]) <= 60 else f"{lines[key][:57]}..."
        raise ValueError(f"calibration '{path}': {key} is {shown!r}, expected {count} numbers; {REMEDY}")
    return values


def _rotation(lines: dict[str, str], key: str, path: pathlib.Path) -> np.ndarray:
    found = _numbers(lines, key, 9, path).reshape(3, 3)
    if np.abs(found @ found.T - np.eye(3)).max() > ROTATION_ERROR or np.linalg.det(found) < 0:
        raise ValueError(f"calibration '{path}': {key} is no rotation; {REMEDY}")
    return found
