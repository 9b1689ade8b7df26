"""Scores of several rows as points, one a seed, beside quoted numbers: a PNG with a panel for each group."""

from __future__ import annotations

import dataclasses
import io
import math
import statistics
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sde_seg_jax.display.curves import COLORS
from sde_seg_jax.display.gains import Gain, lines


@dataclasses.dataclass(frozen=True)
class Points:
    """The measured values of a row, one a seed, and the quoted value if there is one."""

    values: Sequence[float]
    quoted: float | None = None


def plot(panels: Mapping[str, Mapping[str, Points]], *, dpi: int = 120) -> bytes:
    """A PNG: rows from top to bottom, seeds as points, their mean as a bar, the quotation as a hollow diamond."""
    rows = max((len(panel) for panel in panels.values()), default=1)
    figure = Figure(figsize=(8.6, (0.34 * rows + 0.9) * max(1, len(panels))), layout="constrained")
    FigureCanvasAgg(figure)
    for position, (title, panel) in enumerate(panels.items(), start=1):
        _panel(figure.add_subplot(len(panels), 1, position), title, panel)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def plot_gains(gains: Sequence[Gain], *, dpi: int = 120) -> bytes:
    """A PNG: differences in percentage points, one a seed, their mean with its 95 % interval, and a line at 0."""
    figure = Figure(figsize=(8.6, 0.34 * len(gains) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = {f"{line['row']} - {line['partner']}": gain for line, gain in zip(lines(gains), gains, strict=True)}
    _panel(axes, "", {name: Points([100 * d for d in gain.differences.values()]) for name, gain in rows.items()})
    for height, gain in enumerate(rows.values()):
        if gain.low is not None and gain.high is not None and math.isfinite(gain.mean):
            axes.plot([100 * gain.low, 100 * gain.high], [height] * 2, color="#111827", linewidth=1.6)
    axes.axvline(0, color="#6b7280", linewidth=1, linestyle="--")
    axes.set_xlabel("difference, percentage points", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _panel(axes: Axes, title: str, rows: Mapping[str, Points]) -> None:
    for height, points in enumerate(rows.values()):
        color = COLORS[height % len(COLORS)]
        values = [value for value in points.values if math.isfinite(value)]
        axes.plot(values, [height] * len(values), "o", color=color, markersize=6, alpha=0.75)
        if values:
            axes.plot([statistics.fmean(values)], [height], "|", color=color, markersize=17, markeredgewidth=2.2)
        if points.quoted is not None:
            axes.plot([points.quoted], [height], "D", color="#6b7280", markersize=7, fillstyle="none")
    axes.set_yticks(range(len(rows)), list(rows), fontsize=9, parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)  # the first row on top
    axes.set_title(title, fontsize=10, loc="left", parse_math=False)
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
