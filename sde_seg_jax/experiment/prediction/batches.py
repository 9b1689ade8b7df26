"""Frames put together into batches of one size, asked about while others are read and written."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from sde_seg_jax.experiment.prediction.ahead import Frame
from sde_seg_jax.experiment.prediction.asking import Predictor
from sde_seg_jax.experiment.prediction.predictor import padded

PIXELS = {"cpu": 2**18, "gpu": 2**23, "tpu": 2**23}  # of a batch on one device: more gives no more images a second
LARGEST = 64  # images on one device
KEPT = 4  # batches whose frames may wait for others of their size
FLYING = 2  # batches that are computed before the first of them is awaited


def automatic(pixels: int, predictors: Sequence[Predictor]) -> int:
    """How many images of so many pixels are asked about at once; what a predictor demands comes first."""
    fixed = max((one.batch for one in predictors), default=0)
    if fixed:
        return fixed
    each = max(1, min(LARGEST, PIXELS.get(jax.default_backend(), PIXELS["cpu"]) // max(1, pixels)))
    return each * jax.device_count()


class Batcher:
    """Collects frames of equal sizes and gives back each with its maps; those of one video stay in order.

    `batch`: images a call; 0: by their size. `most`: more will not come, 0: nobody knows.
    """

    def __init__(self, predictors: Sequence[Predictor], batch: int = 0, most: int = 0):
        self._predictors, self._batch, self._most = predictors, batch, most
        self._groups: dict[tuple, list[Frame]] = {}
        self._flying: collections.deque = collections.deque()

    def add(self, frame: Frame) -> Iterator[tuple[Frame, dict[str, np.ndarray]]]:
        """Takes a frame; gives those that are done by now."""
        sizes = tuple(image.shape[:2] for image in frame.seen)
        group = self._groups.setdefault(sizes, [])
        group.append(frame)
        if len(group) >= self._size(sizes):
            yield from self._ask(sizes)
        elif sum(map(len, self._groups.values())) > KEPT * self._size(sizes):
            yield from self._ask(next(iter(self._groups)))  # whose first frame has waited longest

    def flush(self) -> Iterator[tuple[Frame, dict[str, np.ndarray]]]:
        """All that were taken and not given back."""
        for sizes in list(self._groups):
            yield from self._ask(sizes)
        while self._flying:
            yield from self._land()

    def _size(self, sizes: tuple) -> int:
        if self._batch:
            return self._batch
        size = automatic(max(height * width for height, width in sizes), self._predictors)
        return min(size, self._most) if self._most and not any(one.batch for one in self._predictors) else size

    def _ask(self, sizes: tuple) -> Iterator[tuple[Frame, dict[str, np.ndarray]]]:
        frames, size = self._groups.pop(sizes), self._size(sizes)
        images = [padded(np.stack(group), size) for group in zip(*(frame.seen for frame in frames), strict=True)]
        asked = [one.call(image) for one, image in zip(self._predictors, images, strict=True)]
        self._flying.append((frames, asked))
        if len(self._flying) >= FLYING:
            yield from self._land()

    def _land(self) -> Iterator[tuple[Frame, dict[str, np.ndarray]]]:
        frames, asked = self._flying.popleft()
        found = jax.device_get([{key: maps[key] for key in maps} for maps in asked])
        for place, frame in enumerate(frames):
            yield frame, {key: np.asarray(values[place]) for maps in found for key, values in maps.items()}
