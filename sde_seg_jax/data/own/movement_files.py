"""How far a vehicle moved between the frames of a clip: by its speeds or its positions, a row a frame or by time."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

TOLERANCE = 1.0  # seconds by which a file may begin or end otherwise than the clip: satellites tell once a second
LEAST_SPEED = 1.0  # metres a second, from which a vehicle moves: those of satellites at rest are 0.1 to 0.5
LEAST_STEP = 0.02  # metres between frames, from which a camera moves: estimated positions tremble by millimetres


@dataclasses.dataclass(frozen=True)
class Clip:
    """The frames that a file of movement is of.

    Attributes:
      name: for messages.
      count: of the frames.
      times: seconds of each since the first; None: unknown.
    """

    name: str
    count: int
    times: Float[np.ndarray, " N"] | None = None


@dataclasses.dataclass(frozen=True)
class Rows:
    """What a file tells, row by row.

    Attributes:
      where: the file, for messages.
      values: metres a second [R], or positions in metres [R,3].
      times: seconds, rising; None: unknown.
      by_frame: a row is a frame, else a moment.
    """

    where: str
    values: np.ndarray
    times: Float[np.ndarray, " R"] | None
    by_frame: bool


def distances(rows: Rows, clip: Clip) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Metres between neighboring frames, and from how many on the vehicle counts as moving; n = N - 1.

    Between two moments speeds are linear, and so are positions. Rows by time of which there are as many as frames, over
    as long a time, are taken as one a frame. Raises ValueError if the file is of other frames, or if the times of the
    frames would have to be known.
    """
    if rows.by_frame and len(rows.values) != clip.count:
        raise ValueError(
            f"{rows.where} has {len(rows.values)} rows, one a frame, but '{clip.name}' has {clip.count} frames; "
            f"give exactly its frames, or speeds or poses by time"
        )
    one_each = rows.by_frame or _one_each(rows, clip)
    times = rows.times if one_each and rows.times is not None else clip.times
    if rows.values.ndim == 2 and one_each:
        positions = rows.values
    elif times is None:
        raise ValueError(f"the times of the frames of '{clip.name}' are unknown; give --frame_rate, frames a second")
    else:
        known = times if one_each else _same_range(rows, times, clip)
        positions = (_driven if rows.values.ndim == 1 else _between)(times, known, rows.values)
    steps = np.linalg.norm(np.diff(positions, axis=0).reshape(clip.count - 1, -1), axis=1)
    least = np.full(len(steps), LEAST_STEP) if rows.values.ndim == 2 else LEAST_SPEED * np.diff(times)
    return steps, least


def _one_each(rows: Rows, clip: Clip) -> bool:
    """Are there as many moments as frames, over as long a time, whatever clock they are of?"""
    known, times = rows.times, clip.times
    if known is None or len(known) != clip.count:
        return False
    return times is None or abs((known[-1] - known[0]) - (times[-1] - times[0])) <= TOLERANCE


def _same_range(rows: Rows, times: np.ndarray, clip: Clip) -> np.ndarray:
    """The file's times. Raises ValueError if they are not those of the clip."""
    assert rows.times is not None  # rows by time have them
    known = rows.times
    if abs(known[0] - times[0]) > TOLERANCE or abs(known[-1] - times[-1]) > TOLERANCE:
        raise ValueError(
            f"{rows.where} tells of {known[0]:.10g} to {known[-1]:.10g} s, but '{clip.name}' lasts from 0 to "
            f"{times[-1]:.4g} s; give the rows of its time, counted from its first frame"
        )
    return known


def _driven(times: np.ndarray, known: np.ndarray, speeds: np.ndarray) -> np.ndarray:
    """Metres driven by each time, forwards or backwards: the integral of speeds that are linear between `known`."""
    knots = np.union1d(times, known)
    speed = np.interp(knots, known, np.abs(speeds))
    driven = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(knots))])
    return driven[np.searchsorted(knots, times)]


def _between(times: np.ndarray, known: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(times, known, axis) for axis in positions.T], axis=1)
