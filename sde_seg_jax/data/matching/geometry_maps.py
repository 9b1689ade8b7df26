"""The geometry of crops at full resolution, read when it is asked for: the published form of the comparison.

Every crop costs reading and decoding a whole disparity map, about as much as an image; `geometry_index` is the form for
more than a few candidates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from sde_seg_jax.data.matching.geometry_distance import SCALES, check_scale, normalize
from sde_seg_jax.data.reading.augment import Augmentation
from sde_seg_jax.data.reading.picks import Pick
from sde_seg_jax.data.spec import Size


@dataclasses.dataclass(frozen=True)
class Crops:
    """Windows of samples, as arrays over candidates: sample, upper left corner in pixels, mirrored."""

    indices: Int[np.ndarray, " N"]
    tops: Int[np.ndarray, " N"]
    lefts: Int[np.ndarray, " N"]
    flips: Bool[np.ndarray, " N"]

    @classmethod
    def of(cls, pick: Pick) -> Crops:
        """One crop."""
        where = pick.augmentation
        return cls(*(np.array([value]) for value in (pick.index, where.top, where.left, where.flipped)))

    def each(self) -> Iterator[tuple[int, int, int, bool]]:
        """One after the other: sample, top, left, mirrored."""
        return zip(*(column.tolist() for column in (self.indices, self.tops, self.lefts, self.flips)), strict=True)

    def pick(self, place: int, crop: Size) -> Pick:
        """One of them."""
        window = Augmentation(int(self.tops[place]), int(self.lefts[place]), tuple(crop), bool(self.flips[place]))
        return Pick(int(self.indices[place]), window)


@dataclasses.dataclass(frozen=True)
class GeometryMaps:
    """Scaled disparities of all samples of a split, at full resolution.

    Attributes:
      read: disparity [H,W] of a sample by its index, such as `DepthCache.read`.
      names: of the samples, for messages.
      size: (height, width) of the images in pixels.
      scale: of the disparities: one of `geometry_distance.SCALES`.
    """

    read: Callable[[int], np.ndarray]
    names: Sequence[str]
    size: Size
    scale: str = "log1"

    def __post_init__(self):
        check_scale(self.scale)

    def __len__(self) -> int:
        return len(self.names)

    def resolution(self, crop: Size) -> Size:
        """Rows and columns of what `crops` returns."""
        return crop

    def crops(self, where: Crops, crop: Size, rows: slice = slice(None)) -> Float[np.ndarray, "N H W"]:
        """These rows of the crops, normalised over their whole images."""
        maps: dict[int, np.ndarray] = {}  # a sample may be drawn twice
        result = []
        for index, top, left, flipped in where.each():
            if index not in maps:
                maps[index] = scaled_map(self.read(index), self.size, self.scale, self.names[index])
            window = maps[index][top : top + crop[0], left : left + crop[1]][rows]
            result.append(window[:, ::-1] if flipped else window)
        return np.stack(result)


def scaled_map(disparity: np.ndarray, size: Size, scale: str, name: str) -> Float[np.ndarray, "H W"]:
    """A sample's disparity, normalised over the image and scaled. Raises ValueError that names the sample."""
    if disparity.shape != tuple(size):
        raise ValueError(
            f"sample '{name}': its disparity is {disparity.shape}, its image {tuple(size)}: cache it again"
        )
    if not np.isfinite(disparity).all():
        raise ValueError(
            f"sample '{name}': its disparity is NaN or infinite; the depth network is of no use: train again"
        )
    return SCALES[scale](normalize(np.asarray(disparity, np.float32)))
