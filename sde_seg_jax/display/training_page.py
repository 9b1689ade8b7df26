"""The standard report of a training pipeline: did depth learn, did unlabeled video help, at what cost."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sde_seg_jax.display import curves, tables
from sde_seg_jax.display import summary as of
from sde_seg_jax.display.page import Card, Cards, Figure, Section, Table, Text, write_page
from sde_seg_jax.display.summary import Groups, RunSummary
from sde_seg_jax.label_spaces import LabelSpace

ERRORS = {"abs_rel": "AbsRel", "sq_rel": "SqRel", "rmse": "RMSE", "rmse_log": "RMSE log"}  # lower is better
ACCURACIES = ("a1", "a2", "a3")  # higher is better


def training_page(
    path: str | pathlib.Path,
    runs: Sequence[RunSummary],
    *,
    title: str,
    intro: str,
    space: LabelSpace,
    summary: Mapping[str, Any] | None = None,
    keys: Sequence[str] = curves.DEFAULT_KEYS,
) -> pathlib.Path:
    """Writes the standard report: headlines, scores, pictures, curves, IoU by class, depth errors, configs.

    Args:
      path: the HTML file.
      runs: in the order they are shown; the roles "depth", "baseline" and "ours" feed the headlines.
      space: the label space the segmentation was evaluated in.
      summary: facts for the end of the page: versions, hardware, commands.
      keys: the curves to draw, as in `curves.curves`.
    """
    groups = of.by_name(runs)
    files = {name: [run.metrics for run in seeds] for name, seeds in groups.items()}
    alt = f"Line charts over training steps of {', '.join(keys)} for {', '.join(files)}"
    chart = Figure(curves.curves(files, keys), "Faint: as recorded; solid: smoothed.", alt)
    pictures = [
        Section(
            f"Pictures: {of.label(run, groups)}",
            [
                *(Figure(image, caption, f"{caption} ({run.name})") for caption, image in run.pictures),
                *map(Text, run.left_out),
            ],
        )
        for run in runs
        if run.pictures or run.left_out
    ]
    sections = [
        Section("", [Cards(headlines(groups))]),
        Section("Models", [score_table(groups)]),
        *pictures,
        Section("Curves", [chart]),
        Section("IoU by class", [class_table(groups, space)]),
        Section("Depth", [depth_table(groups)]),
    ]
    configs = {f"Config: {of.label(run, groups)}": dict(run.config) for run in runs if run.config}
    facts = {**(summary or {}), **configs}
    return write_page(path, title=title, intro=intro, sections=sections, summary=facts)


def headlines(groups: Groups) -> list[Card]:
    """The four cards: depth against a constant, segmentation against the baseline, labels, time."""
    runs = [run for seeds in groups.values() for run in seeds]
    used = next((run for run in [*of.of_role(groups, "ours"), *runs] if run.labels is not None), None)
    share = ""
    if used and used.images:
        share = f"of {used.images:,} training images ({used.labels / used.images:.1%})"
    each = ", ".join(f"{name}: {tables.duration(of.total_seconds(seeds))}" for name, seeds in groups.items())
    return [
        _depth_card(groups),
        _segmentation_card(groups),
        Card("Labeled images used", tables.integer(used and used.labels), note=share),
        Card("Time taken", tables.duration(of.total_seconds(runs)), note=each),
    ]


def score_table(groups: Groups) -> Table:
    """One row a model: mIoU, AbsRel beside the best constant depth, labels, seeds, time."""
    rows = [
        {
            "name": name,
            "miou": of.score(seeds, "miou"),
            "abs_rel": of.score(seeds, "abs_rel"),
            "constant": of.constant_error(seeds),
            "labels": seeds[0].labels if seeds[0].labels is not None else "not recorded",
            "seeds": ", ".join(str(run.seed) for run in seeds if run.seed is not None) or "not recorded",
            "seconds": of.total_seconds(seeds),
        }
        for name, seeds in groups.items()
    ]
    columns = [
        tables.Column("name", "model"),
        tables.Column("miou", "mIoU %", tables.percent, "max"),
        tables.Column("abs_rel", "AbsRel", tables.number, "min"),
        tables.Column("constant", "AbsRel of best constant", tables.number),
        tables.Column("labels", "labeled images", tables.integer),
        tables.Column("seeds", "seeds"),
        tables.Column("seconds", "time", tables.duration),
    ]
    return Table(rows, columns, "Several seeds: mean ± sample standard deviation. Bold: best of the column.")


def class_table(groups: Groups, space: LabelSpace) -> Table | Text:
    """One row a class with its colour, one column a model, and ours minus baseline where both were run."""
    iou = {
        name: known
        for name, seeds in groups.items()
        if (known := [values for run in seeds if (values := of.class_iou(run, space))])
    }
    if not iou:
        return Text(tables.NOT_RUN)
    means = {model: of.score(groups[model], "miou") for model in iou}
    rows: list[dict[str, Any]] = [{"class": "mean (mIoU)", **means}]
    for i, name in enumerate(space.classes):
        scores = {model: of.combine([values[i] for values in known]) for model, known in iou.items()}
        rows.append({"class": tables.Chip(space.colors[i], name), **scores})
    columns = [
        tables.Column("class", "class"),
        *(tables.Column(model, f"{model}, IoU %", _iou_text) for model in iou),
    ]
    pair = [seeds[0].name for role in ("baseline", "ours") if (seeds := of.of_role(groups, role))]
    if len(pair) == 2 and all(model in iou for model in pair):
        for row in rows:
            before, after = (of.mean(row[model]) for model in pair)
            row["gain"] = "–" if before is None or after is None else after - before
        columns.append(tables.Column("gain", f"{pair[1]} − {pair[0]}, points", tables.points))
    return Table(rows, columns, "absent: no pixel in truth or prediction; not part of the mean.")


def depth_table(groups: Groups) -> Table | Text:
    """One row a model with all errors, and the best constant depth below."""
    rows: list[dict[str, Any]] = []
    for name, seeds in groups.items():
        values = {key: of.score(seeds, key) for key in (*ERRORS, *ACCURACIES)}
        if any(value is not None for value in values.values()):
            rows.append({"name": name, **values})
    if not rows:
        return Text(tables.NOT_RUN)
    runs = [run for seeds in groups.values() for run in seeds]
    constant = {key: of.constant_error(runs, key) for key in (*ERRORS, *ACCURACIES)}
    rows.append({"name": "best constant depth", **constant})
    columns = [tables.Column("name", "model")]
    columns += [tables.Column(key, title, tables.number, "min") for key, title in ERRORS.items()]
    columns += [tables.Column(key, key, tables.number, "max") for key in ACCURACIES]
    caption = "After median scaling per image. A network that learned nothing does no better than a constant depth."
    return Table(rows, columns, caption)


def _iou_text(value: Any) -> str:
    center = value.mean if isinstance(value, tables.Spread) else value
    return "absent" if center is not None and math.isnan(center) else tables.percent(value)


def _value_and_unit(score: of.Score, format: Callable[[Any], str]) -> tuple[str, str]:
    """The mean in large print, its spread in small print."""
    text, _, rest = format(score).partition(" ±")
    return (text, f"±{rest}") if rest else (text, "")


def _depth_card(groups: Groups) -> Card:
    title = "Depth error (AbsRel)"
    evaluated = (seeds for seeds in groups.values() if of.score(seeds, "abs_rel") is not None)
    seeds = of.of_role(groups, "depth") or next(evaluated, ())
    error, constant = of.score(seeds, "abs_rel"), of.constant_error(seeds)
    value, unit = _value_and_unit(error, tables.number)
    if of.mean(error) is None:
        return Card(title, value, unit, status="neutral" if error is None else "bad")
    if not isinstance(constant, float):
        return Card(title, value, unit, note=f"best constant depth: {constant or tables.NOT_RUN}")
    note = f"best constant depth: {tables.number(constant)}"
    below = 1 - of.mean(error) / constant if constant else 0.0  # a depth without error is not beaten
    if below > 0:
        return Card(title, value, unit, f"{below:.0%} below a constant depth", note, "good")
    return Card(title, value, unit, "no better than a constant depth", note, "bad")


def _segmentation_card(groups: Groups) -> Card:
    ours, baseline = (of.score(of.of_role(groups, role), "miou") for role in ("ours", "baseline"))
    (value, unit), note = _value_and_unit(ours, tables.percent), f"baseline: {tables.percent(baseline)}"
    title = "Segmentation (mIoU, %)"
    if of.mean(ours) is None or of.mean(baseline) is None:
        return Card(title, value, unit, note=note)
    gain = of.mean(ours) - of.mean(baseline)
    verdict = f"{tables.points(gain)} points against the baseline"
    stds = [score.std for score in (ours, baseline) if isinstance(score, tables.Spread)]
    if stds and abs(gain) <= max(stds):
        return Card(title, value, unit, f"{verdict}, within the spread of seeds", note, "unclear")
    return Card(title, value, unit, verdict, note, "good" if gain > 0 else "bad")
