"""Where a camera was: KITTI odometry's files (12 numbers a line, a line a frame) and TUM's (8 numbers, by time).

KITTI: the first three rows of world_from_camera, in metres. TUM: timestamp tx ty tz qx qy qz qw, seconds and metres.
Only the positions are used; rotations show whether the numbers are what they are taken for.
"""

from __future__ import annotations

import pathlib

import numpy as np

from sde_seg_jax.data.own.movement_files import Rows
from sde_seg_jax.text_files import read_lines

KITTI, TUM = 12, 8  # numbers a line
FORM = "expected 12 numbers a line (KITTI odometry) or 8 (TUM: timestamp tx ty tz qx qy qz qw)"
ROUNDED = 0.02  # by which a rotation may miss one: files have as few as four digits


def read(path: pathlib.Path) -> Rows:
    """The positions of a file. Raises ValueError that names file, line and remedy."""
    try:
        lines = [(number, line) for number, line in enumerate(read_lines(path), start=1) if line and line[0] != "#"]
        return _rows(f"'{path}'", lines)
    except OSError as error:
        raise ValueError(f"cannot read '{path}': {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"cannot read poses in '{path}': {error}") from error


def _rows(where: str, lines: list[tuple[int, str]]) -> Rows:
    if len(lines) < 2:
        raise ValueError(f"it has {len(lines)} poses; a movement needs two")
    width, values = len(_numbers(*lines[0])), []
    for number, line in lines:
        row = _numbers(number, line)
        if len(row) != width or width not in (KITTI, TUM):
            raise ValueError(f"line {number} has {len(row)} numbers; {FORM}")
        values.append(row)
    table, numbers = np.array(values), [number for number, _ in lines]
    if width == KITTI:
        poses = table.reshape(-1, 3, 4)
        off = np.abs(poses[:, :, :3] @ poses[:, :, :3].swapaxes(1, 2) - np.eye(3)).max(axis=(1, 2))
        _check_turns(off, numbers)
        return Rows(where, poses[:, :, 3], None, by_frame=True)
    _check_turns(np.abs(np.linalg.norm(table[:, 4:], axis=1) - 1), numbers)
    rising = np.diff(table[:, 0]) > 0
    if not rising.all():
        raise ValueError(f"time does not rise after line {numbers[int(np.argmin(rising))]}; sort the lines")
    return Rows(where, table[:, 1:4], table[:, 0], by_frame=False)


def _numbers(number: int, line: str) -> list[float]:
    try:
        values = [float(part) for part in line.replace(",", " ").split()]
    except ValueError:
        values = [np.nan]
    if not np.all(np.isfinite(values)):
        raise ValueError(f"line {number} is no line of numbers; {FORM}")
    return values


def _check_turns(off: np.ndarray, numbers: list[int]) -> None:
    if off.max() > ROUNDED:
        raise ValueError(f"line {numbers[int(off.argmax())]} holds no rotation; {FORM}")
