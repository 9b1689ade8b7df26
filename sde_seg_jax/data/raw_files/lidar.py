"""Laser scans as depth maps: points read from KITTI's .bin files, projected into a pinhole camera."""

from __future__ import annotations

import pathlib

import numpy as np
from jaxtyping import Float

from sde_seg_jax.data.spec import Size
from sde_seg_jax.types import Intrinsics

POINT_BYTES = 16  # float32 x, y, z, reflectance


def read_points(path: pathlib.Path) -> Float[np.ndarray, "N 3"]:
    """The points of a `velodyne_points/data/*.bin` in metres: x forward, y left, z up; reflectance is dropped.

    Raises:
      ValueError: the file can't be read, is empty, or ends within a point.
    """
    remedy = "replace the file, then prepare again"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read scan '{path}' ({error.strerror}); {remedy}") from error
    if not content or len(content) % POINT_BYTES:
        raise ValueError(
            f"cannot read scan '{path}': {len(content)} bytes are no whole number of points "
            f"({POINT_BYTES} bytes each: float32 x, y, z, reflectance); {remedy}"
        )
    return np.frombuffer(content, "<f4").reshape(-1, 4)[:, :3]


def depth_map(
    points: Float[np.ndarray, "N 3"],
    camera_from_points: Float[np.ndarray, "3 4"],
    intrinsics: Intrinsics,
    size: Size,
) -> Float[np.ndarray, "H W"]:
    """Projects points into an image of `size`: depth along the camera's axis in metres, float32, 0 = no point.

    A point belongs to the pixel whose centre is nearest, (x, y) = floor(projection + 0.5); where several meet, the
    nearest to the camera wins. Points behind the camera, outside the image or not finite are dropped.
    """
    seen = points.astype(np.float64) @ camera_from_points[:, :3].T + camera_from_points[:, 3]
    seen = seen[np.isfinite(seen).all(axis=1) & (seen[:, 2] > 0)]
    x, y, z = seen.T
    column = np.floor(intrinsics.fx * x / z + intrinsics.cx + 0.5)
    row = np.floor(intrinsics.fy * y / z + intrinsics.cy + 0.5)
    inside = (column >= 0) & (column < size[1]) & (row >= 0) & (row < size[0])  # as floats: int would wrap far ones
    far_first = np.argsort(-z[inside], kind="stable")  # of repeated indices NumPy keeps the last assignment
    row, column, z = (values[inside][far_first] for values in (row, column, z))
    depth = np.zeros(size, np.float32)
    depth[row.astype(int), column.astype(int)] = z
    return depth
