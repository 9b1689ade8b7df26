"""The pairs of crops that Matching Geometry Sampling gives a run: for its streams, and for people to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from sde_seg_jax.data.matching.geometry_maps import Crops
from sde_seg_jax.data.matching.matching import Geometry, Matching
from sde_seg_jax.data.reading import augment
from sde_seg_jax.data.reading.picks import Pick, PlainPicks
from sde_seg_jax.data.reading.stream import Source
from sde_seg_jax.display.pictures import disparity_picture
from sde_seg_jax.display.sheets import grid

TARGET, SOURCE = "unlabeled", "source"  # the streams that are paired
LOOKED_AT = 64  # of the first positions, for people
SHOWN = 4  # of them, in a picture


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Which crops go together in a run, and what is needed to look at them."""

    matching: Matching
    plain: PlainPicks  # the source's crops without matching
    sources: Mapping[str, Source]  # of the streams TARGET and SOURCE
    geometry: Mapping[str, Geometry]

    def picks(self) -> dict[str, Callable[[int], Pick]]:
        """What `streams.Data.training` takes."""
        return {TARGET: self.matching.target, SOURCE: self.matching.source}

    def line(self) -> str:
        """How much nearer the first pairs are than random ones."""
        matches = [self.matching.match(position) for position in range(LOOKED_AT)]
        found, expected = (np.mean([getattr(match, key) for match in matches]) for key in ("distance", "expected"))
        return f"matching: mean distance of the first pairs {found:.4f}, of random pairs {expected:.4f}"


def pairs_picture(pairs: Pairs, count: int = SHOWN) -> np.ndarray:
    """Rows of positions, spread over the first ones: target crop, matched source crop and a random one.

    Each with its geometry as it is compared (near is bright, one scale a row). RGB uint8.
    """
    rows, captions = [], []
    for position in np.linspace(0, LOOKED_AT - 1, count).astype(int).tolist():
        match = pairs.matching.match(position)
        crops = (TARGET, match.target), (SOURCE, match.source), (SOURCE, pairs.plain(position))
        shown = [pairs.geometry[stream].crops(Crops.of(pick), pick.augmentation.size)[0] for stream, pick in crops]
        limits = (float(np.min(shown)), float(np.max(shown)))
        row = []
        for (stream, pick), geometry in zip(crops, shown, strict=True):
            height, width = pick.augmentation.size
            geometry = cv2.resize(geometry, (width, height), interpolation=cv2.INTER_NEAREST)
            row += [_image(pairs.sources[stream], pick), disparity_picture(geometry, limits)]
        rows.append(row)
        nearest, mean = f"distance {match.distance:.3f}", f"candidates: mean {match.expected:.3f}"
        captions.append(["target", "geometry", "matched source", nearest, "random source", mean])
    return grid(rows, captions=captions)


def _image(source: Source, pick: Pick) -> np.ndarray:
    example = source.read(pick.index, (), pick.augmentation.window)
    return augment.adjust(example, pick.augmentation)["image"]
