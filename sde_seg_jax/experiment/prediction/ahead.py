"""Images and frames read, and brought to the networks' sizes, by threads ahead of who takes them."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import NamedTuple

import numpy as np

from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.asking import Predictor
from sde_seg_jax.experiment.prediction.frames import read_frames
from sde_seg_jax.experiment.prediction.model import brought_to
from sde_seg_jax.experiment.prediction.sources import Source


class Frame(NamedTuple):
    """An image or a frame of a video.

    Attributes:
      source: the file.
      name: begins the names of what is written.
      image: uint8 RGB [H,W,3].
      seen: the same for each predictor, at the size at which it is asked.
    """

    source: Source
    name: str
    image: np.ndarray
    seen: tuple[np.ndarray, ...]


class Ended(NamedTuple):
    """A file of which nothing more comes: why it could not be read, or ""; frames that came of it."""

    source: Source
    failed: str
    frames: int


def read_ahead(
    sources: Sequence[Source],
    predictors: Sequence[Predictor],
    pool: Executor,
    ahead: int,
    warn: Callable[[str], None],
) -> Iterator[Frame | Ended]:
    """The frames of all files in order, and after those of each file that it has ended.

    Up to `ahead` images are read before they are asked for; of a video one frame.
    """
    left, waiting = iter(sources), collections.deque()

    def fill() -> None:
        for source in itertools.islice(left, ahead - len(waiting)):
            frames = _frames(source, predictors, warn)
            waiting.append((source, frames, pool.submit(next, frames, None)))
            if source.is_video:
                return

    fill()
    while waiting:
        source, frames, future = waiting.popleft()
        fill()
        yield from _taken(source, frames, future, pool)


def _taken(source: Source, frames: Iterator[Frame], future: Future, pool: Executor) -> Iterator[Frame | Ended]:
    """What comes of one file, the next frame being read while one is taken."""
    count = 0
    while True:
        try:
            frame = future.result()
        except UsageError as error:
            yield Ended(source, str(error), count)
            return
        if frame is None:
            yield Ended(source, "", count)
            return
        future, count = pool.submit(next, frames, None), count + 1
        yield frame


def seen_frame(source: Source, name: str, image: np.ndarray, predictors: Sequence[Predictor]) -> Frame:
    """An image as the predictors are to see it. Raises UsageError that names the file if one cannot be asked about."""
    try:
        sizes = [one.size_of(image.shape[:2]) for one in predictors]
    except ValueError as error:
        raise UsageError(f"{source.path}: {error}") from error
    seen = {size: brought_to(image, size) for size in sizes}
    return Frame(source, name, image, tuple(seen[size] for size in sizes))


def _frames(source: Source, predictors: Sequence[Predictor], warn: Callable[[str], None]) -> Iterator[Frame]:
    for name, image in read_frames(source, warn):
        yield seen_frame(source, name, image, predictors)
