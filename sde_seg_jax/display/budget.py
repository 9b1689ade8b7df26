"""How many frames to label: coverage and remaining uncertainty against the number of labels."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sde_seg_jax.display.curves import COLORS
from sde_seg_jax.state_files.writing import write_text

GAIN = 0.1  # a rule of thumb: a doubling that brings less is hardly worth the annotator's time


@dataclasses.dataclass(frozen=True)
class Budget:
    """What labels bring. Raises ValueError if the lengths differ or `labels` does not ascend.

    Attributes:
      labels: numbers of labels [K], ascending.
      largest: after that many labels, the largest feature distance of an unlabeled sample to the nearest labeled one
        [K]; None where it was not computed.
      mean: the mean of those distances [K], or None.
      uncertainty: (labels, mean score of what is unlabeled), one a step.
    """

    labels: Sequence[int]
    largest: Sequence[float] | None = None
    mean: Sequence[float] | None = None
    uncertainty: Sequence[tuple[int, float]] = ()

    def __post_init__(self):
        """Checks the lengths and the order."""
        for name in ("largest", "mean"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.labels):
                raise ValueError(f"Budget.{name} has {len(values)} values for {len(self.labels)} numbers of labels")
        if (np.diff(np.asarray(self.labels, np.int64)) <= 0).any():
            raise ValueError("Budget.labels must ascend; sort the steps and drop what is there twice")


def doubling_limit(budget: Budget, gain: float = GAIN) -> int | None:
    """The fewest labels from which no doubling that was measured lowered the mean distance by more than `gain`.

    None where no doubling was measured or the last one still brought more.
    """
    starts, gains = _doublings(budget)
    small = np.logical_and.accumulate((gains <= gain)[::-1])[::-1]
    return int(starts[small.argmax()]) if small.any() else None


def advice(budget: Budget) -> str:
    """What the coverage says about the number of labels, in two or three sentences; "" without a mean distance."""
    starts, gains = _doublings(budget)
    if not len(starts):
        return ""
    first, last = int(starts[0]), int(starts[-1])
    limit = doubling_limit(budget)
    measured = f"Going from {last:,} to {2 * last:,} labels lowered the mean distance by {gains[-1]:.0%}."
    if limit is None:
        rule = "Coverage still grows: more labels would reach frames that are unlike all labeled ones."
    elif limit == first:
        rule = "No doubling brought much: coverage is no guide here, so let the time for labeling decide."
    else:
        rule = f"From about {limit:,} labels on, every doubling lowers it by {GAIN:.0%} at most."
    warning = "This is a rule of thumb about how the frames look; it does not predict accuracy."
    return " ".join((measured, rule, warning))


def budget_figure(budget: Budget, *, dpi: int = 120) -> bytes:
    """A PNG with a panel for coverage and one for uncertainty; only those with data, a placeholder without any."""
    panels = []
    coverage = {"largest": budget.largest, "mean": budget.mean}
    coverage = {name: (budget.labels, values) for name, values in coverage.items() if values is not None}
    if coverage and len(budget.labels):
        panels.append(("distance of the unlabeled to the nearest labeled", coverage))
    if len(budget.uncertainty):
        panels.append(("mean score of what is unlabeled", {"": tuple(zip(*budget.uncertainty, strict=True))}))
    figure = Figure(figsize=(5.4 * max(1, len(panels)) + 0.4, 3.1 if panels else 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    for position, (title, series) in enumerate(panels, start=1):
        _panel(figure.add_subplot(1, len(panels), position), title, series)
    if not panels:
        figure.text(0.5, 0.5, "Neither coverage nor uncertainty known", ha="center", va="center", color="#6b7280")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def write_budget(path: str | pathlib.Path, budget: Budget) -> pathlib.Path:
    """Writes CSV with the columns labels, largest_distance, mean_distance, uncertainty; empty where unknown."""
    coverage = [() if values is None else values for values in (budget.largest, budget.mean)]
    columns = [dict(zip(budget.labels, values, strict=False)) for values in coverage] + [dict(budget.uncertainty)]
    labels = sorted({int(count) for count in budget.labels} | {int(count) for count, _ in budget.uncertainty})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["labels", "largest_distance", "mean_distance", "uncertainty"])
    writer.writerows([count, *(_cell(column.get(count)) for column in columns)] for count in labels)
    write_text(path, text.getvalue())
    return pathlib.Path(path)


def _cell(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{float(value):.6g}"


def _doublings(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of labels whose double was measured too, and the share of the mean distance that doubling took away."""
    if budget.mean is None or not len(budget.labels):
        return np.zeros(0, np.int64), np.zeros(0)
    labels, mean = np.asarray(budget.labels, np.int64), np.asarray(budget.mean, np.float64)
    measured = (2 * labels <= labels[-1]) & (labels > 0)
    before, after = mean[measured], np.interp(2 * labels[measured], labels, mean)
    return labels[measured], np.where(before > 0, 1 - after / np.where(before > 0, before, 1.0), 0.0)


def _panel(axes: Axes, title: str, series: dict[str, tuple[Sequence[int], Sequence[float]]]) -> None:
    """Lines over the number of labels, from 0 upwards: a flat line shall look flat."""
    for color, (name, (labels, values)) in zip(COLORS, series.items(), strict=False):
        marker = "o" if len(labels) <= 30 else None
        axes.plot(labels, values, color=color, linewidth=1.9, marker=marker, markersize=3.5, label=name)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(series) > 1:
        axes.legend(fontsize=8, framealpha=0.85)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("labels", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
