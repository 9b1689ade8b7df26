"""When a method gains: scores against the number of labels or steps, one line a row, seeds as bands."""

from __future__ import annotations

import io
import statistics
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sde_seg_jax.display.curves import COLORS

Series = Mapping[str, Mapping[int, Sequence[float]]]  # row -> {labels or steps: the score of each seed}


def plot_curves(panels: Mapping[str, Series], ylabel: str, *, dpi: int = 120) -> bytes:
    """A PNG with a panel for each abscissa (its name is the panel's): means as lines, lowest to highest seed as bands.

    The abscissa is logarithmic; values are shown in percent.
    """
    figure = Figure(figsize=(4.4 * len(panels), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for position, (name, series) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), position)
        _panel(axes, series)
        axes.set_xlabel(name, fontsize=9)
        if position == 1:
            axes.set_ylabel(ylabel, fontsize=9)
            axes.legend(fontsize=9, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _panel(axes: Axes, series: Series) -> None:
    for color, (row, points) in zip(COLORS, series.items(), strict=False):
        places = sorted(points)
        values = [[100 * value for value in points[place]] for place in places]
        axes.fill_between(places, list(map(min, values)), list(map(max, values)), color=color, alpha=0.18, linewidth=0)
        axes.plot(places, list(map(statistics.fmean, values)), "o-", color=color, markersize=4, label=row)
    every = sorted({place for points in series.values() for place in points})
    axes.set_xscale("log")
    axes.set_xticks(every, [f"{place:,}" for place in every], fontsize=8)
    axes.minorticks_off()
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
