"""Which crop of which sample stands at a position of a training stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from sde_seg_jax.data.reading import augment, order
from sde_seg_jax.data.reading.scaling import STORED
from sde_seg_jax.data.spec import Size


@dataclasses.dataclass(frozen=True)
class Pick:
    """A sample of a source, and the window and mirroring of it."""

    index: int
    augmentation: augment.Augmentation


@dataclasses.dataclass(frozen=True, eq=False)
class PlainPicks:
    """The picks of a stream that takes every sample of `indices` once an epoch: a function of (seed, position).

    Attributes:
      seed: of order and augmentation.
      indices: the samples to take.
      size, crop: (height, width) of the images and of the window, in pixels.
      flip: probability of a horizontal mirror.
      scale: least and most that images are made larger before (`scaling.draw_size`).
      shuffle: a new order every epoch; otherwise as in `indices`.
    """

    seed: int
    indices: Sequence[int]
    size: Size
    crop: Size
    flip: float = 0.5
    shuffle: bool = True
    scale: Sequence[float] = STORED

    def __post_init__(self):
        object.__setattr__(self, "indices", np.asarray(self.indices))  # to be looked up by arrays of places

    def __call__(self, position: int) -> Pick:
        _, place = order.sample_at(position, len(self.indices), self.seed, self.shuffle)
        augmentation = augment.draw(order.rng_at(self.seed, position), self.size, self.crop, self.flip, self.scale)
        return Pick(int(self.indices[place]), augmentation)
