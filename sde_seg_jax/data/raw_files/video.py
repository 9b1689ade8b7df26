"""Frames of video files by exact number, also with B-frames and a varying frame rate (PyAV, FFmpeg's libraries).

Numbers count the frames that decode, in the order in which they are shown. Listing a video decodes it once; a frame
is then known by its time stamp and that of the keyframe before it, so that any process finds it from there.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import av
import numpy as np

from sde_seg_jax.data.raw_files import motion
from sde_seg_jax.data.spec import Size

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm")
REMEDY = "copy it again, or convert it to mp4 (H.264)"
QUARTER = 90  # degrees; cameras are turned by quarters
NEAR = 12  # frames ahead that are reached by decoding on, whatever keyframes are between
RECENT = 4  # decoded frames that are kept: neighbors of one sample are the images of the next
OPEN = 2  # video files that a process keeps open
# A whole file may show a little less than its header says: cut on a phone, or with sound that goes on
SLACK, SLACK_FRAMES, SLACK_SECONDS = 0.02, 2, 1.0


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
    size: Size  # (height, width), upright
    decoded: av.VideoFrame

    def thumbnail(self) -> np.ndarray:
        """Gray uint8, upright, small; see `motion`."""
        height, width = motion.thumbnail_size(self.decoded.height, self.decoded.width)
        small = self.decoded.reformat(width=width, height=height, format="gray").to_ndarray()
        return motion.thumbnail(np.ascontiguousarray(np.rot90(small, _quarters(self.decoded))))


def shown(path: str) -> Iterator[Shown]:
    """Decodes all frames in the order in which they are shown.

    Raises:
      ValueError: the file cannot be opened or has no video, naming it and the remedy.
    """
    with _open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in _decode(container):
            sides = frame.height, frame.width
            yield Shown(frame.pts, frame.key_frame, sides[:: -1 if _quarters(frame) % 2 else 1], frame)


def shortfall(path: str, times: list[int | None]) -> str:
    """What is missing of what the file says it holds, as "60 of 100 frames"; "" if (nearly) nothing is."""
    with _open(path) as container:
        stream = container.streams.video[0]
        if stream.frames:
            complete = len(times) >= stream.frames - max(SLACK_FRAMES, SLACK * stream.frames)
            return "" if complete else f"{len(times)} of {stream.frames} frames"
        if not (container.duration and times) or times[-1] is None:
            return ""
        length, found = container.duration / av.time_base, float(times[-1] * stream.time_base)
        return "" if found >= (1 - SLACK) * length - SLACK_SECONDS else f"{found:.1f} of {length:.1f} seconds"


def frames(path: str, times: list[int | None], is_key: list[bool]) -> list[Frame]:
    """Names the frames by what `shown` said of them. Time stamps that do not rise are of no use."""
    if None in times or not all(a < b for a, b in itertools.pairwise(times)):
        return [Frame(path, index, None, None) for index in range(len(times))]
    found, key = [], times[0]
    for index, (time, here) in enumerate(zip(times, is_key, strict=True)):
        key = time if here else key
        found.append(Frame(path, index, time, key))
    return found


def read(frame: Frame) -> np.ndarray:
    """RGB uint8 [h, w, 3], upright; fast where frames are read one after the other."""
    return _reader(frame.path, os.stat(frame.path).st_mtime_ns).read(frame)


class Reader:
    """An open video, read by one thread at a time. Goes on from where it is where it can, else from the keyframe."""

    def __init__(self, path: str):
        self._path, self._lock = path, threading.Lock()
        self._recent: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._container = None
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
        return np.ascontiguousarray(np.rot90(found.to_ndarray(format="rgb24"), _quarters(found)))

    def _restart(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = _open(self._path)
        self._decoded = _decode(self._container)
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
        self._container.seek(key, stream=self._container.streams.video[0])
        decoded = _decode(self._container)
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


def _open(path: str) -> av.container.InputContainer:
    try:
        container = av.open(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ValueError(f"cannot read video '{path}' ({reason}); {REMEDY}") from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"cannot read video '{path}' (it has no pictures); {REMEDY}")
    return container


def _decode(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """The frames that can be decoded; damaged packets and the rest of a file cut short are passed over."""
    with contextlib.suppress(av.FFmpegError):  # of the container: it ends here
        for packet in container.demux(container.streams.video[0]):
            found = []
            with contextlib.suppress(av.FFmpegError):  # of the packet
                found = packet.decode()
            yield from (frame for frame in found if not frame.is_corrupt)


def _quarters(frame: av.VideoFrame) -> int:
    """Quarter turns counterclockwise that bring the picture upright."""
    return round(frame.rotation / QUARTER) % 4
