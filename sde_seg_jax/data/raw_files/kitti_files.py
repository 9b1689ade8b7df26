"""Where KITTI raw keeps its frames: days, drives, cameras, scans; and the text files that list frames.

A drive is named `<day>_drive_<number>_sync` ("sync": rectified and synchronised) and lies in the folder of its day.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.text_files import read_lines

DRIVE = re.compile(r"(?P<day>\d{4}_\d\d_\d\d)_drive_(?P<number>\d{4})_sync")
FRAME = re.compile(r"\d{1,10}")
CAMERAS = ("image_02", "image_03")  # colour, left and right
SIDES = {"l": "image_02", "r": "image_03", "": "image_02"}  # the third column of a list
SCANS = "velodyne_points"
ENDINGS = (".jpg", ".jpeg", ".png")  # a PNG comes last: it wins over a conversion beside it
LINE = "<date>/<drive> <frame> l (or r)"


class Place(NamedTuple):
    """One frame: the folder of its drive, the camera's folder, the frame's number."""

    drive: pathlib.Path
    camera: str
    number: int

    @property
    def name(self) -> str:
        """The sample's name: 2011_09_26_drive_0001_sync_02_0000000005."""
        return f"{self.drive.name}_{self.camera.removeprefix('image_')}_{self.number:010d}"


def drives(raw_dir: pathlib.Path, layout: str) -> list[pathlib.Path]:
    """The folders of all drives, sorted by name.

    Raises:
      ValueError: there are none; the message says where they are instead, if they are near.
    """
    found = sorted(path for path in raw_dir.glob("*/*_sync") if DRIVE.fullmatch(path.name) and path.is_dir())
    if found:
        return found
    if any(DRIVE.fullmatch(path.name) for path in raw_dir.iterdir()):
        raise ValueError(
            f"raw folder '{raw_dir}' holds drives itself; each belongs into the folder of its day (<date>/<drive>), "
            f"and raw_dir is the folder of the days"
        )
    raise ValueError(
        f"Missing raw files of 'kitti': '{raw_dir}' has no <date>/<date>_drive_NNNN_sync; expected {layout}"
    )


def day_and_number(drive: pathlib.Path) -> tuple[str, int]:
    """("2011_09_26", 117) of 2011_09_26_drive_0117_sync."""
    match = DRIVE.fullmatch(drive.name)
    return match["day"], int(match["number"])


class Files:
    """The frames on disk; every folder is listed once."""

    def __init__(self):
        self._listed: dict[pathlib.Path, dict[int, pathlib.Path]] = {}

    def of(self, drive: pathlib.Path, sensor: str) -> dict[int, pathlib.Path]:
        """Frame number -> file of a camera ("image_02", .png or .jpg) or of the scanner (.bin); {} without folder."""
        folder = drive / sensor / "data"
        if folder not in self._listed:
            endings = (".bin",) if sensor == SCANS else ENDINGS
            files = [path for path in folder.iterdir() if path.suffix in endings] if folder.is_dir() else []
            files.sort(key=lambda path: (path.stem, endings.index(path.suffix)))
            self._listed[folder] = {int(path.stem): path for path in files if FRAME.fullmatch(path.stem)}
        return self._listed[folder]

    def neighbors(self, place: Place) -> tuple[pathlib.Path, ...]:
        """Files of the frames before and after, () unless both are there."""
        images = self.of(place.drive, place.camera)
        near = [images.get(place.number + offset) for offset in (-1, 1)]
        return tuple(near) if all(near) else ()

    def lack(self, place: Place, scan: bool) -> str:
        """What a sample at `place` lacks, "" if nothing: its image, and the `scan` or else both neighbors."""
        if not place.drive.is_dir():
            return f"'{place.drive}' does not exist; download that drive"
        folder = place.drive / place.camera / "data"
        if place.number not in self.of(place.drive, place.camera):
            return f"'{folder}' has no frame {place.number:010d} (.png or .jpg); download that drive again"
        if scan and place.number not in self.of(place.drive, SCANS):
            return f"'{place.drive / SCANS / 'data'}' has no {place.number:010d}.bin: no laser scan, no true depth"
        if not scan and not self.neighbors(place):
            return f"'{folder}' has no frame beside {place.number:010d} (-1 or +1): no depth from video"
        return ""


def read_list(path: str, raw_dir: pathlib.Path, problems: raw.Problems) -> Sequence[Place]:
    """The frames that a text file names, a line each: `<date>/<drive> <frame> l` (r: right camera), in its order.

    This is how the splits of Eigen et al. and Zhou et al. circulate. A frame listed twice counts once.

    Raises:
      ValueError: the file can't be read or lists nothing.
    """
    try:
        lines = read_lines(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read list '{path}' of frames ({error}); give a text file of lines {LINE}") from error
    found: dict[Place, None] = {}  # an ordered set
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        place = _parse(line, raw_dir)
        if place is None:
            problems.report(f"'{path}' line {number} is {line!r}; expected {LINE}")
        elif place in found:
            problems.leave_out(f"'{path}' line {number} repeats {place.name}")
        else:
            found[place] = None
    if not found:
        raise ValueError(f"list '{path}' names no frames; expected lines {LINE}")
    return list(found)


def _parse(line: str, raw_dir: pathlib.Path) -> Place | None:
    words = line.split()
    if len(words) not in (2, 3) or not words[1].isdecimal():
        return None
    side = words[2] if len(words) == 3 else ""
    day, _, drive = words[0].replace("\\", "/").partition("/")
    match = DRIVE.fullmatch(drive)
    if match is None or match["day"] != day or side not in SIDES:
        return None
    return Place(raw_dir / day / drive, SIDES[side], int(words[1]))
