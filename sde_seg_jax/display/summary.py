"""What a report knows about training runs, and their scores averaged over seeds."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from sde_seg_jax.display.tables import Spread, number, over_seeds, percent
from sde_seg_jax.label_spaces import LabelSpace

Score = Spread | float | None  # over several seeds, of a single run, not run


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """One training run. Runs of the same name are seeds of one model and are averaged.

    `final` holds the metrics of the last evaluation: `miou` and `iou` (C floats, NaN for an absent class) as
    fractions, `abs_rel`, `sq_rel`, `rmse`, `rmse_log`, `a1`-`a3`, and the same of the best constant depth as
    `constant_abs_rel` or `constant/abs_rel`. Keys may start with "val/"; IoUs may stand as `iou/<class>`.
    With `miou` may come the ends of its 95 % interval, `miou_low` and `miou_high`; without true depth, how well depth
    explains held-out frames of the video, as `video/...`. None: not run.
    """

    name: str
    metrics: str | pathlib.Path
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    final: Mapping[str, Any] | None = None
    pictures: Sequence[tuple[str, np.ndarray]] = ()  # (caption, RGB array)
    left_out: Sequence[str] = ()  # why pictures are missing, a sentence each
    role: Literal["depth", "baseline", "ours", ""] = ""  # which headline the run belongs to
    seed: int | None = None
    labels: int | None = None  # labeled training images
    images: int | None = None  # all training images
    seconds: float | None = None  # wall clock
    space: LabelSpace | None = None  # its classes, if they are not those that the page is given
    notes: Sequence[str] = ()  # what a reader should know of it, a sentence each
    verdict: str = ""  # on depth where no true depth is known, a sentence
    verdict_status: Literal["neutral", "good", "bad", "unclear"] = "neutral"


Groups = Mapping[str, Sequence[RunSummary]]  # model name -> its seeds


def by_name(runs: Sequence[RunSummary]) -> dict[str, list[RunSummary]]:
    """Groups the seeds of each model, in order of appearance."""
    groups: dict[str, list[RunSummary]] = {}
    for run in runs:
        groups.setdefault(run.name, []).append(run)
    return groups


def of_role(groups: Groups, role: str) -> Sequence[RunSummary]:
    """The seeds of the first model with this role; empty if there is none."""
    return next((seeds for seeds in groups.values() if seeds[0].role == role), ())


def score(seeds: Sequence[RunSummary], key: str) -> Score:
    """One metric over the seeds that have it; a plain number for a single run."""
    return combine([_metric(run, key) for run in seeds])


def combine(values: Sequence[float | None]) -> Score:
    """`over_seeds`, but a single value stays a plain number: "(n=1)" in every cell would say little."""
    spread = over_seeds(values)
    return spread.mean if spread is not None and spread.n == 1 else spread


def mean(value: Any) -> float | None:
    """The finite mean of a score; None if there is none."""
    value = value.mean if isinstance(value, Spread) else value
    return value if isinstance(value, float) and math.isfinite(value) else None


def constant_error(runs: Sequence[RunSummary], key: str = "abs_rel") -> str | float | None:
    """An error of the best constant depth; it belongs to the images, so runs on the same share a number."""
    found = (_metric(run, f"constant_{key}", f"constant/{key}") for run in runs)
    values = sorted(value for value in found if value is not None)
    if len({number(value) for value in values}) > 1:
        return f"{number(values[0])} to {number(values[-1])}"
    return float(values[0]) if values else None


def interval(seeds: Sequence[RunSummary]) -> str:
    """The 95 % interval of a single run's mIoU in percent, "28.1 to 33.0"; "" of several seeds, or if none is known."""
    if len(seeds) != 1:
        return ""
    low, high = (_metric(seeds[0], key) for key in ("miou_low", "miou_high"))
    return "" if low is None or high is None else f"{percent(low)} to {percent(high)}"


def class_iou(run: RunSummary, space: LabelSpace) -> list[float] | None:
    """The run's IoU of all classes in the space's order, NaN where absent; None if it was not evaluated."""
    values = _metric(run, "iou")
    if values is None:
        values = [_metric(run, f"iou/{name}") for name in space.classes]
        if all(value is None for value in values):
            return None
    if len(values) != space.num_classes:
        raise ValueError(
            f"run '{run.name}' has {len(values)} class IoUs, but '{space.name}' has {space.num_classes} "
            "classes; pass the label space it was evaluated in"
        )
    return [math.nan if value is None else float(value) for value in values]


def total_seconds(seeds: Sequence[RunSummary]) -> float | None:
    """Wall-clock time of all seeds together; None if none recorded it."""
    known = [run.seconds for run in seeds if run.seconds is not None]
    return sum(known) if known else None


def label(run: RunSummary, groups: Groups) -> str:
    """The run's name, with its seed where the model has several."""
    seeds = groups[run.name]
    if len(seeds) == 1:
        return run.name
    return f"{run.name}, seed {run.seed if run.seed is not None else list(seeds).index(run)}"


def _metric(run: RunSummary, *keys: str) -> Any:
    """The first of the keys that the run has, with or without "val/"."""
    final = run.final or {}
    return next((final[name] for key in keys for name in (key, f"val/{key}") if name in final), None)
