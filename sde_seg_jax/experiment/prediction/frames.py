"""Images and videos that a person wants predictions for, read."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Iterator

import cv2
import numpy as np
import PIL
from jaxtyping import UInt8

from sde_seg_jax.data.own import clips
from sde_seg_jax.data.raw_files import video
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.prediction.sources import Source


def read_frames(source: Source, warn: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
    """(name, RGB image) of an image, or of every frame of a video, as it is shown.

    `warn` is told what is missing of a video. Raises UsageError that names the file if it cannot be read.
    """
    if source.is_video:
        yield from _read_video(source, warn)
    else:
        yield source.name, read_image(source.path)


def read_image(path: pathlib.Path) -> UInt8[np.ndarray, "H W 3"]:
    """An image file as RGB, upright. Raises UsageError that names it."""
    if not path.is_file():
        raise UsageError(f"{path}: no such image file")
    try:
        return clips.read_image(str(path))
    except ValueError as error:
        # What Pillow does not know, as more than 8 bits a channel; of broken files OpenCV would show a half
        unknown = error.__cause__ is None or isinstance(error.__cause__, PIL.UnidentifiedImageError)
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if unknown else None
    if image is None:
        raise UsageError(
            f"{path} is not a readable image; it is cut off, or something else: copy it again or leave it out"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def frame_rate(path: pathlib.Path) -> float | None:
    """Frames a second of a video; None where it does not say. Raises UsageError that names it."""
    try:
        return video.rate(str(path))
    except ValueError as error:
        raise UsageError(_unreadable(path)) from error


def count_frames(source: Source) -> int | None:
    """About how many frames there are; None where a video does not say, or cannot be opened."""
    if not source.is_video:
        return 1
    try:
        return video.about(str(source.path))
    except ValueError:
        return None


def frame_times(path: pathlib.Path) -> list[float | None]:
    """Seconds of each frame of a video since the first; None where the file does not say. Raises UsageError."""
    try:
        every = video.shown(str(path), threads=False)
        found = [None if frame.time is None else frame.time * frame.unit for frame in every]
    except ValueError as error:
        raise UsageError(_unreadable(path)) from error
    return [None if None in (time, found[0]) else float(time - found[0]) for time in found]  # type: ignore[operator]


def frames_at(path: pathlib.Path, numbers: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
    """(number, RGB image) of some frames of a video, as `read_frames` counts them. Raises UsageError."""
    try:
        for number, frame in enumerate(video.shown(str(path), threads=False)):
            if number in numbers:
                yield number, frame.picture()
    except ValueError as error:
        raise UsageError(_unreadable(path)) from error


def _read_video(source: Source, warn: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
    path, tally, times = str(source.path), video.Tally(), []
    try:
        for number, frame in enumerate(video.shown(path, tally, threads=False)):
            times.append(frame.time)
            yield f"{source.name}_{number:06d}", frame.picture()
        missing = video.shortfall(path, times, tally.failed) if times else ""
    except ValueError as error:
        raise UsageError(_unreadable(source.path)) from error
    if not times:
        raise UsageError(_unreadable(source.path))
    if missing:
        warn(f"warning: video '{path}' gives only {missing}; {video.REMEDY} to have all")


def _unreadable(path: pathlib.Path) -> str:
    return f"{path} is not a readable video; convert it, for example to mp4 (H.264)"
