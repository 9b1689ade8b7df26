"""Matching Geometry Sampling: pairs target crops with source crops of similar geometry.

See METHOD 5 in docs/reference/method.md.
Cross-domain mixing pastes a source crop on a target crop by their disparities; what is pasted fits in better where both
show the same geometry. For every target crop, random source crops are drawn, and the one of the smallest
`geometry_distance.distances` is taken. Bidirectional: every second pair starts from a source crop instead.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Protocol

import numpy as np
from jaxtyping import Float

from sde_seg_jax.data.matching.geometry_distance import distances, row_weights
from sde_seg_jax.data.matching.geometry_maps import Crops
from sde_seg_jax.data.reading import order
from sde_seg_jax.data.reading.augment import check_crop
from sde_seg_jax.data.reading.picks import Pick, PlainPicks
from sde_seg_jax.data.spec import Size

# of the height: the published bands of the published 512 rows (Q38 in docs/record/differences.md)
TOP, BOTTOM = 80 / 512, 100 / 512


class Geometry(Protocol):
    """What crops are compared by: `geometry_index.GeometryIndex` or `geometry_maps.GeometryMaps`."""

    size: Size

    @property
    def scale(self) -> str: ...

    def __len__(self) -> int: ...

    def resolution(self, crop: Size) -> Size: ...

    def crops(self, where: Crops, crop: Size, rows: slice) -> Float[np.ndarray, "N h w"]: ...


@dataclasses.dataclass(frozen=True)
class Match:
    """A pair of crops, their distance, and the mean distance of all the candidates, of which they are the nearest."""

    target: Pick
    source: Pick
    distance: float
    expected: float


class Matching:
    """The pairs of crops of two streams: functions of (seed, position) alone. May be used by many threads.

    The target's crops are those of its plain stream, so matching does not change it. With `bidirectional`, this holds
    at even positions; at odd ones the source's crop is the plain one, and the target's is chosen. Candidates are drawn
    uniformly over samples, windows and mirroring, with replacement, as published: there may be more of them than
    samples. One candidate is a random crop.

    Args:
      target, source: the plain streams.
      target_geometry, source_geometry: of all samples of their splits, at the same scale and resolution.
      candidates: crops to choose from; published: 5.
      bidirectional: choose target crops, too.
      top, bottom: fractions of a crop's height that are not compared: sky, and the car's own hood.
      bound: largest difference of a pixel or cell that counts; None: all of it.

    Raises:
      ValueError: naming the option, or the split whose images, samples or crop don't fit.
    """

    def __init__(
        self,
        target: PlainPicks,
        source: PlainPicks,
        target_geometry: Geometry,
        source_geometry: Geometry,
        *,
        candidates: int = 5,
        bidirectional: bool = False,
        top: float = TOP,
        bottom: float = BOTTOM,
        bound: float | None = None,
    ):
        if candidates < 1:
            raise ValueError(f"matching.candidates is {candidates}, expected 1 or more, or 0 for no matching")
        if bound is not None and not bound > 0:
            raise ValueError(f"matching.bound is {bound}, expected more than 0, or None")
        if tuple(target.crop) != tuple(source.crop):
            raise ValueError(f"target crops {tuple(target.crop)} and source crops {tuple(source.crop)} must be equal")
        crop = tuple(target.crop)
        forms = [(geometry.scale, tuple(geometry.resolution(crop))) for geometry in (target_geometry, source_geometry)]
        if forms[0] != forms[1]:
            raise ValueError(
                f"geometries differ: scale and resolution {forms[0]} of the target, {forms[1]} of the source"
            )
        _check_fits(target, target_geometry, "target")
        _check_fits(source, source_geometry, "source")
        self._target, self._source = (target, target_geometry), (source, source_geometry)
        self._candidates, self._bidirectional, self._bound = candidates, bidirectional, bound
        self._rows, self._weights = _kept(forms[0][1][0], top, bottom)
        self.match = functools.lru_cache(maxsize=4096)(self._match)  # both streams ask, one some batches ahead

    def target(self, position: int) -> Pick:
        """The target's crop at a position of its stream."""
        return self.match(position).target if self._chooses_target(position) else self._target[0](position)

    def source(self, position: int) -> Pick:
        """The source's crop that goes with it."""
        return self._source[0](position) if self._chooses_target(position) else self.match(position).source

    def _chooses_target(self, position: int) -> bool:
        return self._bidirectional and position % 2 == 1

    def _match(self, position: int) -> Match:
        """The pair at a position, with what is known of it."""
        backwards = self._chooses_target(position)
        (base, base_geometry), (other, geometry) = (
            (self._source, self._target) if backwards else (self._target, self._source)
        )
        fixed = base(position)
        where = draw(order.rng_at(self._source[0].seed, position, order.MATCH), other, self._candidates)
        shown = base_geometry.crops(Crops.of(fixed), base.crop, self._rows)[0]
        found = distances(shown, geometry.crops(where, other.crop, self._rows), self._weights, self._bound)
        best = int(found.argmin())
        chosen = where.pick(best, other.crop)
        pair = (chosen, fixed) if backwards else (fixed, chosen)
        return Match(*pair, float(found[best]), float(found.mean()))


def draw(rng: np.random.Generator, stream: PlainPicks, count: int) -> Crops:
    """Random crops of a stream's samples: each as `augment.draw` draws one, of a sample drawn uniformly."""
    return Crops(
        stream.indices[rng.integers(len(stream.indices), size=count)],
        rng.integers(stream.size[0] - stream.crop[0] + 1, size=count),
        rng.integers(stream.size[1] - stream.crop[1] + 1, size=count),
        rng.random(count) < stream.flip,
    )


def _kept(rows: int, top: float, bottom: float) -> tuple[slice, Float[np.ndarray, " kept"]]:
    """The rows that count, and their weights in a mean over only them that is to be one over all rows."""
    weights = row_weights(rows, rows * top, rows * bottom)
    if not min(top, bottom) >= 0:
        raise ValueError(
            f"matching.top is {top} and matching.bottom {bottom}, expected fractions of the height from 0 on"
        )
    count = weights.nonzero()[0]
    if not count.size:
        raise ValueError(f"matching.top {top} and matching.bottom {bottom} leave nothing to compare; lower them")
    kept = slice(count[0], count[-1] + 1)
    return kept, weights[kept] * (len(weights[kept]) / rows)


def _check_fits(stream: PlainPicks, geometry: Geometry, name: str) -> None:
    check_crop(stream.crop, stream.size, name)
    if tuple(geometry.size) != tuple(stream.size):
        raise ValueError(f"the {name}'s geometry is of images {tuple(geometry.size)}, not {tuple(stream.size)}")
    last = int(stream.indices.max())
    if last >= len(geometry):
        raise ValueError(f"the {name}'s geometry is of {len(geometry)} samples; sample {last} is asked for")
