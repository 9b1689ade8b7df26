"""What is in a split and what is wrong with it: the sums over its samples, without training. Nothing is printed."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from sde_seg_jax.data.fields import WHOLE_SPLIT
from sde_seg_jax.data.inspecting.measure import STILL, Sample
from sde_seg_jax.data.preparing.samples import summarize
from sde_seg_jax.label_spaces import LabelSpace

MANY = 0.5  # share of a split's samples from which standing still is a problem


def spread(count: int, wanted: int | None) -> list[int]:
    """`wanted` indices of 0..count-1, evenly spread, first and last among them; None: all."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, wanted).round().astype(int)).tolist()


@dataclasses.dataclass
class Split:
    """One split: how many samples it has, those looked at, and what is wrong.

    Attributes:
      name: of the split.
      space: the classes.
      count: samples that are usable as far as listing them tells.
      listed: problems found while listing.
      left_out: samples known to be unusable, or left out when the data were prepared.
      notes: what to know, though nothing is wrong.
      counts: of how many raw frames they are, and why not of all.
      samples: those looked at.
      recorded: pixels of each class as preparation counted them in all samples, then those without ground truth.
      judge_cameras: False for photographs without neighbors or depth, whose camera nothing reads.
      pixel_aspect: the known fy / fx, None: unknown.
      remedy: what to do about implausible intrinsics.
    """

    name: str
    space: LabelSpace
    count: int = 0
    listed: Sequence[str] = ()
    left_out: Sequence[str] = ()
    notes: Sequence[str] = ()
    counts: Sequence[str] = ()
    samples: Sequence[Sample] = ()
    recorded: np.ndarray | None = None
    judge_cameras: bool = True
    pixel_aspect: float | None = None
    remedy: str = "correct the camera in the raw files"

    @property
    def measured(self) -> list[Sample]:
        """Those of the samples that could be read."""
        return [sample for sample in self.samples if sample.size is not None]

    @property
    def sizes(self) -> collections.Counter:
        """Image sizes (height, width), and how many samples have them."""
        return collections.Counter(sample.size for sample in self.measured)

    @property
    def cameras(self) -> collections.Counter:
        """Distinct cameras, and how many samples have them."""
        return collections.Counter(sample.camera for sample in self.measured)

    @property
    def pixels(self) -> np.ndarray:
        """Pixels of each class, as recorded or looked at, then those without ground truth: int64 [C + 1]."""
        return self._counted() if self.recorded is None else self.recorded

    def _counted(self) -> np.ndarray:
        return sum((s.pixels for s in self.measured if s.pixels is not None), np.zeros(self.space.num_classes + 1, int))

    @property
    def missing_classes(self) -> list[str]:
        """Classes that no label looked at has; none where there are no labels."""
        pixels = self.pixels
        return [c for c, n in zip(self.space.classes, pixels, strict=False) if not n] if pixels.any() else []

    @property
    def still(self) -> list[str]:
        """Names of the samples in which nothing moves between the frames."""
        return [s.name for s in self.measured if s.motion is not None and s.motion < STILL]

    @property
    def depths(self) -> tuple[float, float, float] | None:
        """Nearest and farthest depth [m] and the mean share of pixels that have one; None without depth."""
        found = [sample.depth for sample in self.measured if sample.depth is not None]
        if not found:
            return None
        near, far, share = zip(*found, strict=True)
        return min(near), max(far), float(np.mean(share))

    def having(self, field: str) -> int:
        """How many of the samples looked at have an optional field."""
        return sum(field in sample.fields for sample in self.measured)

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, one line each: of listing, of single samples, of all together."""
        single = [problem for sample in self.samples for problem in sample.problems]
        warnings = summarize([warning for sample in self.samples for warning in sample.warnings])
        return [*self.listed, *single, *warnings, *self._joint_problems()]

    def _joint_problems(self) -> list[str]:
        found, measured = [], self.measured
        for name, times in collections.Counter(sample.name for sample in measured).items():
            if times > 1:
                found.append(f"{times} samples are named {name!r}; rename all but one")
        for field in WHOLE_SPLIT:
            lacking = [sample.name for sample in measured if field not in sample.fields]
            if 0 < len(lacking) < len(measured):
                found.append(
                    f"{len(lacking)} of {len(measured)} samples have no {field}, the first is {lacking[0]!r}; "
                    "all samples of a split need it, or none"
                )
        moving = self.having("neighbors")
        if moving and len(self.still) >= MANY * moving:
            found.append(
                f"nothing moves in {len(self.still)} of {moving} samples, the first is {self.still[0]!r}: depth "
                "from video learns nothing from them; leave frames in which the camera stands still out"
            )
        labels = [sample for sample in measured if sample.pixels is not None]
        if labels and not self.pixels[:-1].any():
            found.append(
                f"none of {len(labels)} labels has a pixel of a class, the first is that of {labels[0].name!r}; "
                "check that these are the label files of this data set"
            )
        complete = len(measured) == self.count and self.recorded is not None
        if complete and (self._counted() != self.recorded).any():
            found.append(
                "the recorded class statistics are not those of the labels; delete that folder and prepare again"
            )
        for one, times in self.cameras.items() if self.judge_cameras else ():
            found += [f"camera of {times} samples: {fault}; {self.remedy}" for fault in one.faults(self.pixel_aspect)]
        return found
