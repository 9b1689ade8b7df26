"""The standard report of a training pipeline: did depth learn, did unlabeled video help, at what cost."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from sde_seg_jax.display import curves, tables
from sde_seg_jax.display import summary as of
from sde_seg_jax.display.headlines import headlines
from sde_seg_jax.display.page import Cards, Figure, Items, Section, Table, Text, write_page
from sde_seg_jax.display.summary import Groups, RunSummary
from sde_seg_jax.label_spaces import LabelSpace

ERRORS = {"abs_rel": "AbsRel", "sq_rel": "SqRel", "rmse": "RMSE", "rmse_log": "RMSE log"}  # lower is better
ACCURACIES = ("a1", "a2", "a3")  # higher is better
VIDEO = {  # of `evaluation.video`: heading and format
    "frames": ("frames", tables.integer),
    "explained": ("explained %", tables.percent),
    "error": ("error", tables.number),
    "error_constant": ("constant", tables.number),
    "error_unwarped": ("unwarped", tables.number),
    "auto_masked": ("masked %", tables.percent),
    "disparity_spread": ("spread", tables.number),
    "depth_inconsistency": ("contradiction %", tables.percent),
}
VIDEO_CAPTION = (
    "Error: photometric, of the neighbors warped by depth and motion; constant: by the same motion and the best "
    "constant depth. Explained: the error is below both others. Masked: pixels that are explained best by not moving. "
    "Spread: of the disparity, over its mean. Contradiction: between the depths of neighbors."
)


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
    notes = [f"{of.label(run, groups)}: {note}" for run in runs for note in run.notes]
    sections = [
        Section("", [Cards(headlines(groups))]),
        *([Section("Notes", [Items(notes)])] if notes else []),
        Section("Models", [score_table(groups)]),
        Section("Curves", [chart]),
        *pictures,
        Section("IoU by class", class_tables(groups, space)),
        Section("Depth", depth_parts(groups)),
    ]
    configs = {f"Config: {of.label(run, groups)}": dict(run.config) for run in runs if run.config}
    facts = {**(summary or {}), **configs}
    return write_page(path, title=title, intro=intro, sections=sections, summary=facts)


def score_table(groups: Groups) -> Table:
    """One row a model: mIoU, AbsRel beside the best constant depth, labels, seeds, time."""
    rows = [
        {
            "name": name,
            "miou": of.score(seeds, "miou"),
            "interval": of.interval(seeds),
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
        *([tables.Column("interval", "95 % interval")] if any(row["interval"] for row in rows) else []),
        tables.Column("abs_rel", "AbsRel", tables.number, "min"),
        tables.Column("constant", "AbsRel of best constant", tables.number),
        tables.Column("labels", "labeled images", tables.integer),
        tables.Column("seeds", "seeds"),
        tables.Column("seconds", "time", tables.duration),
    ]
    caption = "Several seeds: mean ± sample standard deviation. Bold: best of the column."
    if any(row["interval"] for row in rows):
        caption += " The interval says how much mIoU depends on which images happen to be in the validation split."
    return Table(rows, columns, caption)


def class_tables(groups: Groups, space: LabelSpace) -> list[Table | Text]:
    """A `class_table` of each label space that runs were scored in."""
    spaces = {name: seeds[0].space or space for name, seeds in groups.items()}
    found = []
    for one in dict.fromkeys(spaces.values()):
        table = class_table({name: seeds for name, seeds in groups.items() if spaces[name] == one}, one)
        if isinstance(table, Table):
            found.append(table)
    return found or [Text(tables.NOT_RUN)]


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


def depth_parts(groups: Groups) -> list[Table | Text]:
    """Errors where true depth is known, the verdict of held-out frames where it is not."""
    table, video = depth_table(groups), video_parts(groups)
    return video if video and isinstance(table, Text) else [table, *video]


def video_parts(groups: Groups) -> list[Table | Text]:
    """Where no true depth is known: a sentence a run, and the numbers behind it."""
    runs = [run for seeds in groups.values() for run in seeds if run.verdict]
    rows = [{"name": of.label(run, groups), **{key: of.score([run], f"video/{key}") for key in VIDEO}} for run in runs]
    if not rows:
        return []
    columns = [tables.Column("name", "model")]
    columns += [tables.Column(key, title, text) for key, (title, text) in VIDEO.items()]
    sentences = [Text(f"{of.label(run, groups)}: {run.verdict}.") for run in runs]
    return [*sentences, Table(rows, columns, "Held-out frames of the video, without true depth. " + VIDEO_CAPTION)]


def _iou_text(value: Any) -> str:
    center = value.mean if isinstance(value, tables.Spread) else value
    return "absent" if center is not None and math.isnan(center) else tables.percent(value)
