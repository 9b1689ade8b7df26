"""Opening a video file and decoding it (PyAV, FFmpeg's libraries)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import av
import numpy as np

from sde_seg_jax.data.spec import Size

REMEDY = "copy it again, or convert it to mp4 (H.264)"
QUARTER = 90  # degrees; cameras are turned by quarters
SQUARE = 0.01  # pixels that are nearly square are left as they are
WIDEST = 8.0  # ratio of a pixel's sides beyond which it is a broken header


class Tally:
    """What came of decoding: packets with data, frames, and how many of both are damaged."""

    def __init__(self) -> None:
        self.packets = self.frames = self.failed = 0

    @property
    def complete(self) -> bool:
        """Did every packet give its frame?"""
        return not self.failed and self.packets == self.frames


class VideoFile:
    """An open video.

    Attributes:
      container, stream: PyAV's.
      aspect: width of a pixel divided by its height, as the file says it is to be shown.
    """

    def __init__(self, path: str, threads: bool = False):
        """Opens a file. With `threads` over frames decoding is fast; what comes out of a damaged file then depends on
        their number, which is that of the cores.

        Raises:
          ValueError: the file cannot be opened or has no video, naming it and the remedy.
        """
        try:
            self.container = av.open(path)
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ValueError(f"cannot read video '{path}' ({reason}); {REMEDY}") from error
        streams = self.container.streams.video
        if not streams or streams[0].codec_context is None:
            self.container.close()
            reason = "its codec is unknown" if streams else "it has no pictures"
            raise ValueError(f"cannot read video '{path}' ({reason}); {REMEDY}")
        self.stream = streams[0]
        self.stream.thread_type = "AUTO" if threads else "SLICE"
        if not threads:
            self.stream.codec_context.thread_count = 1
        self.aspect = _aspect(self.stream)

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *error) -> None:
        self.container.close()

    def decode(self, tally: Tally | None = None) -> Iterator[av.VideoFrame]:
        """The frames that can be decoded; damaged packets and the rest of a file cut short are passed over."""
        tally = tally or Tally()
        with contextlib.suppress(av.FFmpegError):  # of the container: it ends here
            for packet in self.container.demux(self.stream):
                tally.packets += packet.size > 0 and not packet.is_discard
                found = []
                try:
                    found = packet.decode()
                except av.FFmpegError:  # of the packet
                    tally.failed += 1
                for frame in found:
                    tally.failed += frame.is_corrupt
                    tally.frames += not frame.is_corrupt
                    if not frame.is_corrupt:
                        yield frame

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """RGB uint8 [h, w, 3] as it is shown: upright, with square pixels."""
        width = self._width(frame)
        if width == frame.width:
            return upright(frame.to_ndarray(format="rgb24"), frame)
        shown = frame.reformat(width=width, height=frame.height, format="rgb24", interpolation="BICUBIC")
        return upright(shown.to_ndarray(), frame)

    def size(self, frame: av.VideoFrame) -> Size:
        """(height, width) of its `picture`."""
        sides = frame.height, self._width(frame)
        return sides[::-1] if _quarters(frame) % 2 else sides

    def _width(self, frame: av.VideoFrame) -> int:
        return frame.width if self.aspect == 1 else max(1, round(frame.width * self.aspect))


def upright(values: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Values [h, w, ...] of a frame, turned as it is shown."""
    return np.ascontiguousarray(np.rot90(values, _quarters(frame)))


def _aspect(stream: av.VideoStream) -> float:
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if abs(ratio - 1) > SQUARE and 1 / WIDEST <= ratio <= WIDEST else 1.0


def _quarters(frame: av.VideoFrame) -> int:
    """Quarter turns counterclockwise that bring the picture upright."""
    return round(frame.rotation / QUARTER) % 4
