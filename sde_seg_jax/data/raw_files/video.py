"""Frames of video files by exact number, also with B-frames and a varying frame rate (PyAV, FFmpeg's libraries).

Numbers count the frames that decode, in the order in which they are shown. Listing a video decodes it once; a frame
is then known by its time stamp and that of the keyframe before it, so that any process finds it from there.
"""

from __future__ import annotations

import collections
import functools
import itertools
import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

from sde_seg_jax.data.raw_files import motion, video_times
from sde_seg_jax.data.raw_files.video_file import REMEDY, Tally, VideoFile, upright
from sde_seg_jax.data.spec import Size

NEAR = 12  # frames ahead that are reached by decoding on, whatever keyframes are between
RECENT = 4  # decoded frames that are kept: neighbors of one sample are the images of the next
OPEN = 2  # video files that a process keeps open
# A whole file may show a little less than its header says: cut on a phone, or with sound that goes on
SLACK, SLACK_FRAMES, SLACK_SECONDS, SLACK_ALONE = 0.02, 2, 1.0, 0.2


class Frame(NamedTuple):
    """Where a frame is. Without `time` it is found by counting from the start."""

    path: str
    index: int
    time: int | None  # presentation time stamp
    key: int | None  # that of the last keyframe up to it


class Shown(NamedTuple):
    """A frame while its video is listed."""

    time: int | None
    is_key: bool
    size: Size  # (height, width), as it is shown: upright, with square pixels
    decoded: av.VideoFrame
    file: VideoFile

    def thumbnail(self) -> np.ndarray:
        """Gray uint8, as it is shown, small; see `motion`."""
        sides = self.size if self.size[0] == self.decoded.height else self.size[::-1]  # before it is turned
        height, width = motion.thumbnail_size(*sides)
        small = self.decoded.reformat(width=width, height=height, format="gray").to_ndarray()
        return motion.thumbnail(upright(small, self.decoded))

    @property
    def unit(self) -> Fraction:
        """Seconds of 1 of `time`."""
        return self.file.stream.time_base

    def picture(self) -> np.ndarray:
        """RGB uint8 [h, w, 3], as it is shown."""
        return self.file.picture(self.decoded)


def shown(path: str, tally: Tally | None = None, threads: bool = True) -> Iterator[Shown]:
    """Decodes all frames in the order in which they are shown, and counts them in `tally`.

    With `threads` (fast) other frames may come out of a damaged file than `read` finds; then the tally, which is
    complete after the last frame, or `shortfall` says that something is wrong: decode again without them.

    Raises:
      ValueError: the file cannot be opened or has no video, naming it and the remedy.
    """
    with VideoFile(path, threads) as file:
        for frame in file.decode(tally):
            yield Shown(frame.pts, frame.key_frame, file.size(frame), frame, file)


def rate(path: str) -> float | None:
    """Frames a second; None where the file does not say. Raises ValueError as `shown`."""
    with VideoFile(path) as file:
        found = file.stream.average_rate or file.stream.guessed_rate
        return float(found) if found else None


def about(path: str) -> int | None:
    """How many frames the file says it has, or how many fit into its time; None where it says neither.

    Raises ValueError as `shown`.
    """
    with VideoFile(path) as file:
        stream, length = file.stream, file.container.duration
        speed = stream.average_rate or stream.guessed_rate
        if stream.frames:
            return stream.frames
        return round(length / av.time_base * float(speed)) or None if length and speed else None


def shortfall(path: str, times: list[int | None], failed: int = 0) -> str:
    """What is missing of what the file says it holds, as "60 of 100 frames"; "" if (nearly) nothing is.

    Args:
      path: of the video.
      times: time stamps of its frames.
      failed: how many packets and frames are known to be damaged; with any, no frame that lacks is overlooked.
    """
    with VideoFile(path) as file:
        stream, count, between = file.stream, len(times), video_times.missing(times)
        slack = 0 if failed else max(SLACK_FRAMES, SLACK * count)
        if stream.frames:
            whole = max(stream.frames, count + failed) if failed else stream.frames
            lacking = whole - count
            return f"{count} of {whole} frames" if lacking > slack or (failed and lacking) else ""
        length = file.container.duration
        if length and times and times[-1] is not None:
            length, found = length / av.time_base, float((times[-1] - (stream.start_time or 0)) * stream.time_base)
            alone = len(file.container.streams) == 1  # no sound goes on
            if found < (1 - SLACK) * length - (SLACK_ALONE if alone else SLACK_SECONDS):
                usual = video_times.step(times)
                about = f"{count} of about {round(length / float(usual * stream.time_base))} frames, " if usual else ""
                return f"{about}{found:.1f} of {length:.1f} seconds"
        lacking = max(failed, between)
        return f"{count} of {count + lacking} frames" if lacking > slack else ""


def frames(path: str, times: list[int | None], is_key: list[bool]) -> list[Frame]:
    """Names the frames by what `shown` said of them. Time stamps that do not rise are of no use.

    Of a file cut short the last ones are left out if they are out of order: those before them come later in the file.
    """
    ordered = video_times.in_order(times)
    if ordered < len(times) and shortfall(path, times):
        times, is_key = times[:ordered], is_key[:ordered]
    if None in times or not all(a < b for a, b in itertools.pairwise(times)):
        return [Frame(path, index, None, None) for index in range(len(times))]
    found, key = [], times[0]
    for index, (time, here) in enumerate(zip(times, is_key, strict=True)):
        key = time if here else key
        found.append(Frame(path, index, time, key))
    return found


def read(frame: Frame) -> np.ndarray:
    """RGB uint8 [h, w, 3], as it is shown; fast where frames are read one after the other."""
    return _reader(frame.path, os.stat(frame.path).st_mtime_ns).read(frame)


class Reader:
    """An open video, read by one thread at a time. Goes on from where it is where it can, else from the keyframe."""

    def __init__(self, path: str):
        self._path, self._lock = path, threading.Lock()
        self._recent: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._file: VideoFile | None = None
        self._restart()

    def read(self, frame: Frame) -> np.ndarray:
        """RGB uint8 [h, w, 3]. Raises ValueError if the file has changed since it was listed."""
        with self._lock:
            if frame.index not in self._recent:
                self._recent[frame.index] = self._fetch(frame)
                while len(self._recent) > RECENT:
                    self._recent.popitem(last=False)
            return self._recent[frame.index]

    def _fetch(self, frame: Frame) -> np.ndarray:
        found = self._count_to(frame.index) if frame.time is None else self._find(frame)
        if found is None:
            raise ValueError(f"cannot read frame {frame.index} of video '{self._path}'; {REMEDY}, then prepare again")
        return self._file.picture(found)

    def _restart(self) -> None:
        if self._file is not None:
            self._file.container.close()
        self._file = VideoFile(self._path)
        self._decoded = self._file.decode()
        self._index, self._time = -1, None  # of the last frame that was asked for

    def _count_to(self, index: int) -> av.VideoFrame | None:
        if index <= self._index:
            self._restart()
        found = next(itertools.islice(self._decoded, index - self._index - 1, None), None)
        self._index = index
        return found

    def _find(self, frame: Frame) -> av.VideoFrame | None:
        here, ahead = self._time, frame.index - self._index
        if here is None or ahead <= 0 or (frame.key > here and ahead > NEAR):
            self._seek(frame.key)
        found = self._advance(frame.time)
        if found is None:
            self._restart()
            found = self._advance(frame.time)
        self._index, self._time = frame.index, frame.time
        return found

    def _seek(self, key: int) -> None:
        self._file.container.seek(key, stream=self._file.stream)
        decoded = self._file.decode()
        first = next(decoded, None)
        if first is None or first.pts is None or first.pts > key:  # a container that seeks inexactly
            self._restart()
        else:
            self._decoded = itertools.chain([first], decoded)

    def _advance(self, time: int) -> av.VideoFrame | None:
        """Decodes on to the frame shown at `time`."""
        return next((frame for frame in self._decoded if frame.pts == time), None)


@functools.lru_cache(maxsize=OPEN)
def _reader(path: str, changed: int) -> Reader:
    del changed  # when the file does, it is opened again
    return Reader(path)
