"""Speeds that a logger wrote (CSV, JSON), or KITTI raw's `oxts/data`: metres a second by frame or by time.

The first line of a CSV file names the columns and their units: `time_s,speed_mps`, `frame;speed [km/h]`. JSON is a list
of objects with such keys, or one object of lists. Other columns are left alone.
"""

from __future__ import annotations

import csv
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.own.movement_files import Rows
from sde_seg_jax.data.raw_files import listing
from sde_seg_jax.text_files import load_json, read_lines, read_text

SPEED, TIME, FRAME = ("speed", "velocity", "v", "vf"), ("time", "timestamp", "t"), ("frame",)
SPEEDS = {  # metres a second
    **dict.fromkeys(("mps", "m/s", "m_s"), 1.0),
    **dict.fromkeys(("kmh", "km/h", "km_h", "kph", "kmph"), 1 / 3.6),
}
TIMES = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3}  # seconds
FASTEST = 150.0  # metres a second: what is faster has another unit
FORM = "name the columns in the first line, as in time_s,speed_mps or frame,speed_kmh"
OXTS_FORWARD = 8  # column of an oxts file: velocity forwards in metres a second (dataformat.txt of KITTI raw)
OXTS_TIMES = "timestamps.txt"  # beside the folder


def read(path: pathlib.Path) -> Rows:
    """The speeds of a file, or of a folder of KITTI raw's oxts. Raises ValueError that names file and remedy."""
    try:
        if path.is_dir():
            return _oxts(path)
        text = read_text(path)
        header, rows = _json(load_json(text)) if path.suffix.lower() == ".json" else _csv(text)
        return _rows(str(path), header, rows)
    except OSError as error:
        raise ValueError(f"cannot read '{path}': {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"cannot read speeds in '{path}': {error}") from error


def _csv(text: str) -> tuple[list[str], list[Sequence[Any]]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"it is empty; {FORM}")
    delimiter = next((sign for sign in "\t;," if sign in lines[0]), ",")
    header, *rows = csv.reader(lines, delimiter=delimiter)
    return header, rows  # type: ignore[return-value]


def _json(found: Any) -> tuple[list[str], list[Sequence[Any]]]:
    if isinstance(found, dict) and found and all(isinstance(column, list) for column in found.values()):
        if len({len(column) for column in found.values()}) > 1:
            raise ValueError("its lists differ in length")
        return list(found), list(zip(*found.values(), strict=True))
    if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
        return list(found[0]), [[row.get(key) for key in found[0]] for row in found]
    raise ValueError('expected [{"time_s": 0.0, "speed_mps": 3.1}, ...] or {"time_s": [...], "speed_mps": [...]}')


def _rows(where: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Rows:
    speeds, times = _column(header, rows, SPEED, SPEEDS), _column(header, rows, TIME, TIMES)
    frames = _column(header, rows, FRAME, {"": 1.0, "number": 1.0, "index": 1.0})
    if speeds is None or (times is None and frames is None):
        lacks = "speed" if speeds is None else "time or frame"
        raise ValueError(f"no column of {lacks} among {', '.join(map(repr, header))}; {FORM}")
    if len(speeds) < 2:
        raise ValueError(f"it has {len(speeds)} rows; a movement needs two")
    if (fastest := float(np.abs(speeds).max())) > FASTEST:
        raise ValueError(f"{fastest:.0f} m/s are faster than a vehicle; is the unit right?")
    if frames is not None and not (frames[0] in (0, 1) and np.all(np.diff(frames) == 1)):
        raise ValueError("its frames are not 0, 1, 2, ...; give a row for each frame, in order")
    if times is not None and not np.all(np.diff(times) > 0):
        raise ValueError(f"time does not rise after row {1 + int(np.argmin(np.diff(times) > 0))}; sort the rows")
    return Rows(f"'{where}'", speeds, times, by_frame=frames is not None)


def _column(header: Sequence[str], rows: Sequence[Sequence[Any]], words, units: dict[str, float]) -> np.ndarray | None:
    """The column that is called one of `words`, in the unit of `units`; None if there is none."""
    split = [[part for part in re.split(r"[^a-z0-9/]+", str(name).lower()) if part] for name in header]
    places = [place for place, parts in enumerate(split) if parts and parts[0] in words]
    known = [place for place in places if "_".join(split[place][1:]) in units]
    if len(known) > 1:
        raise ValueError(f"columns {header[known[0]]!r} and {header[known[1]]!r} tell the same; keep one")
    if places and not known:
        raise ValueError(f"column {header[places[0]]!r} has no known unit ({', '.join(units)}); {FORM}")
    if not known:
        return None
    place = known[0]
    unit, values = units["_".join(split[place][1:])], np.empty(len(rows))
    for number, row in enumerate(rows):
        try:
            values[number] = float(row[place])
        except (IndexError, TypeError, ValueError):
            values[number] = np.nan
        if not np.isfinite(values[number]):
            raise ValueError(f"row {number + 1} has no number in column {header[place]!r}; write it, or drop the row")
    return values * unit


def _oxts(folder: pathlib.Path) -> Rows:
    """A file a frame, of which one number is the velocity forwards; times where the file beside the folder tells."""
    files = sorted(folder.glob("*.txt"), key=lambda path: listing.natural(path.name))
    if len(files) < 2:
        raise ValueError(f"it has {len(files)} files *.txt; give oxts/data of a drive of KITTI raw")
    speeds = np.array([_forward(file) for file in files])
    clock, times = folder.parent / OXTS_TIMES, None
    if clock.is_file():
        stamps = np.array([line for line in read_lines(clock) if line], "datetime64[ns]")
        if len(stamps) != len(files):
            raise ValueError(f"it has {len(files)} files, '{clock}' {len(stamps)} times; download the drive again")
        times = (stamps - stamps[0]) / np.timedelta64(1, "s")
        if not np.all(np.diff(times) > 0):
            raise ValueError(f"the times of '{clock}' do not rise; delete it and give --frame_rate")
    return Rows(f"'{folder}'", speeds, times, by_frame=True)


def _forward(file: pathlib.Path) -> float:
    try:
        speed = float(read_text(file).split()[OXTS_FORWARD])
    except (IndexError, ValueError):
        speed = float("nan")
    if not np.isfinite(speed):
        raise ValueError(f"'{file.name}' has no number in column {OXTS_FORWARD + 1}; is it KITTI raw's oxts/data?")
    return speed
