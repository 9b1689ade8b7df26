"""Training curves of one or several runs, from their `metrics.jsonl` to a PNG.

A metrics file has one JSON object a line: `{"step": 100, "loss": 1.2, "val/miou": 0.4}`; any scalar keys;
null stands for a value that was not finite, since JSON has no NaN.
"""

from __future__ import annotations

import io
import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sde_seg_jax.state_files.reading import read_lines
from sde_seg_jax.state_files.schemas import METRICS_LINE

Path = str | pathlib.Path
Series = tuple[np.ndarray, np.ndarray]  # steps [N] ascending, values [N]

DEFAULT_KEYS = ("val/miou", "val/abs_rel", "loss")  # what it is about first
REFERENCES = {
    "val/constant_abs_rel": "val/abs_rel",
    "val/constant/abs_rel": "val/abs_rel",
}  # drawn dashed there
TITLES = {
    "loss": "training loss",
    "val/miou": "validation mIoU (higher is better)",
    "val/abs_rel": "validation AbsRel (lower is better; dashed: best constant depth)",
    "images_per_second": "images per second",
}
COLORS = ("#2f6fde", "#d9482b", "#1d9a6c", "#9a4fd0", "#c98a00", "#0d9bb5", "#c2417c", "#6b7280")


def read_series(path: Path) -> dict[str, Series]:
    """Reads every scalar series of a metrics file; a missing or empty file gives {}.

    A step written twice (a resumed run) keeps its last value. A last line that was cut off while being
    written is dropped; any other line that is no object with a "step" raises DamagedFile.
    """
    path = pathlib.Path(path)
    series: dict[str, dict[int, float]] = {}
    for line in read_lines(path, METRICS_LINE, "remove that line") if path.exists() else ():
        for key, value in line.items():
            if key != "step" and (value is None or isinstance(value, int | float)):
                series.setdefault(key, {})[line["step"]] = math.nan if value is None else float(value)
    return {
        key: (np.array(sorted(values)), np.array([values[step] for step in sorted(values)]))
        for key, values in series.items()
    }


def smooth(values: np.ndarray, window: float) -> np.ndarray:
    """Exponential moving average over about `window` points, bias-corrected; NaN and inf are skipped over."""
    decay = max(0.0, 1.0 - 1.0 / max(window, 1.0))
    total, weight, result = 0.0, 0.0, np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if np.isfinite(value):
            total, weight = decay * total + (1 - decay) * value, decay * weight + (1 - decay)
            result[i] = total / weight
    return result


def _panel(axes: Axes, runs: Sequence[tuple[str, str, Mapping[str, Series]]], key: str) -> None:
    """Draws one key of all (name, colour, series): dense ones faint and smoothed, sparse ones as points."""
    lost, drawn, named = 0, [], set()
    for name, color, series in runs:
        if key not in series:
            continue
        label = None if name in named else name
        named.add(name)
        steps, values = series[key]
        lost += int((~np.isfinite(values)).sum())
        values = np.where(np.isfinite(values), values, np.nan)
        drawn.append(values[np.isfinite(values)])
        if len(values) > 30:
            axes.plot(steps, values, color=color, alpha=0.22, linewidth=0.8)
            axes.plot(steps, smooth(values, len(values) / 25), color=color, linewidth=1.9, label=label)
        else:
            axes.plot(steps, values, color=color, linewidth=1.6, marker="o", markersize=3.5, label=label)
        for reference in (name for name, panel in REFERENCES.items() if panel == key and name in series):
            axes.plot(*series[reference], color=color, linewidth=1.2, linestyle=(0, (4, 3)))
    values = np.concatenate(drawn) if drawn else np.zeros(0)
    if len(values) and values.min() > 0 and values.max() > 30 * values.min():
        axes.set_yscale("log")
    if not len(values):
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", va="center", color="#9a3412")
    elif len({name for name, _, _ in runs}) > 1:
        for text in axes.legend(fontsize=8, framealpha=0.85).get_texts():
            text.set_parse_math(False)  # a run may be called "$lr"
    note = f"  ({lost} non-finite not drawn)" if lost else ""
    color = "#9a3412" if lost else "#1f2430"
    axes.set_title(TITLES.get(key, key) + note, fontsize=10, loc="left", color=color, parse_math=False)
    axes.set_xlabel("step", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def curves(files: Mapping[str, Path | Sequence[Path]], keys: Sequence[str] = DEFAULT_KEYS, *, dpi: int = 120) -> bytes:
    """A PNG with one panel for each key that some run has recorded, or a placeholder if there is none.

    Args:
      files: model name -> its `metrics.jsonl`, or one for each seed; a model keeps one colour in all panels.
      keys: the series to draw, in order; those that no run has are skipped.
    """
    runs = [
        (name, COLORS[i % len(COLORS)], read_series(path))
        for i, (name, paths) in enumerate(files.items())
        for path in ([paths] if isinstance(paths, str | pathlib.Path) else paths)
    ]
    shown = [key for key in keys if any(key in series for _, _, series in runs)]
    columns = min(2, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(5.4 * columns + 0.4, 3.1 * rows if shown else 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    for position, key in enumerate(shown, start=1):
        # an odd last panel takes the whole row
        alone = position == len(shown) and len(shown) % columns
        cell = (rows, columns, (position, position + columns - 1) if alone else position)
        _panel(figure.add_subplot(*cell), runs, key)
    if not shown:
        text = f"Nothing recorded yet for {', '.join(keys)}\nin {', '.join(files) or 'no run'}"
        figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=10, color="#6b7280", parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
