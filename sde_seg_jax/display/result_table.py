"""A table of results beside the paper's: rows by label counts, over seeds; as text, Markdown, HTML and JSON."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sde_seg_jax.display import tables
from sde_seg_jax.display.page import Facts, Figure, Section, Table, Text, write_page
from sde_seg_jax.display.result_plot import Points, plot

METRICS = {
    "miou": "mIoU",
    "miou_16": "mIoU (16 classes)",
    "miou_13": "mIoU (13 classes)",
}  # how a score is called in print
NOT_QUOTED = "not quoted"
NOT_RECORDED = "not recorded"  # it ran, but without validations on the way
DIGITS = 2


@dataclasses.dataclass(frozen=True)
class Result:
    """One run: a row at a label count and a seed. Scores are fractions, higher is better; NaN is undefined."""

    row: str
    labels: int
    seed: int
    folder: str
    steps: int = 0  # that the configuration asks for
    step: int = 0  # that are done
    final: float | None = None  # None: not finished
    best: float | None = None  # the highest of all validations
    best_step: int | None = None
    teacher: float | None = None  # final; None: there is no teacher
    failed: str = ""  # why it stopped
    seconds: float | None = None  # wall clock
    commits: Sequence[str] = ()  # of the code that trained it


@dataclasses.dataclass(frozen=True)
class ResultTable:
    """What the table shows. `paper` maps (row, labels) to the number as quoted; `source` says where."""

    title: str
    results: Sequence[Result]
    metric: str = "miou"
    paper: Mapping[tuple[str, int], str] = dataclasses.field(default_factory=dict)
    source: str = ""
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def labels(self) -> list[int]:
        """Label counts in order of appearance."""
        return list(dict.fromkeys(result.labels for result in self.results))

    @property
    def rows(self) -> list[str]:
        """Row names in order of appearance."""
        return list(dict.fromkeys(result.row for result in self.results))

    def seeds(self, row: str, labels: int) -> list[Result]:
        """The runs of one cell, one for each seed."""
        return [result for result in self.results if (result.row, result.labels) == (row, labels)]


def score(seeds: Sequence[Result], kind: Literal["final", "best", "teacher"]) -> tables.Spread | None:
    """Mean and sample standard deviation of the finished runs; None if there is none, or none with such a score."""
    return tables.over_seeds([getattr(result, kind) for result in seeds if result.final is not None])


def lines(table: ResultTable, labels: int) -> list[dict[str, Any]]:
    """One line for each row at a label count, for `columns`."""
    found = []
    for row in table.rows:
        seeds = table.seeds(row, labels)
        final, best = score(seeds, "final"), score(seeds, "best")
        failed = [result.failed for result in seeds if result.failed and result.final is None]
        if final is None and failed:
            final = best = f"failed: {failed[0].partition(':')[0]}"
        elif final is not None and best is None:
            best = NOT_RECORDED
        paper = table.paper.get((row, labels), NOT_QUOTED)
        found.append({"row": row, "paper": paper, "final": final, "best": best, "seeds": _seeds(seeds)})
    return found


def _seeds(seeds: Sequence[Result]) -> str:
    """Which seeds are finished, failed and unfinished: "42, 43; 44 failed; 45 at step 100 of 1,000"."""
    parts = [", ".join(str(result.seed) for result in seeds if result.final is not None)]
    parts += [f"{result.seed} failed" for result in seeds if result.final is None and result.failed]
    parts += [
        f"{result.seed} at step {result.step:,} of {result.steps:,}"
        for result in seeds
        if result.final is None and not result.failed and result.step
    ]
    return "; ".join(part for part in parts if part)


def columns(table: ResultTable) -> list[tables.Column]:
    """Row, paper (if it quotes anything), ours final and best in percent, seeds."""
    name = METRICS.get(table.metric, table.metric)
    paper = [tables.Column("paper", f"paper, {name} %")] if table.paper else []
    return [
        tables.Column("row", "row"),
        *paper,
        tables.Column("final", f"ours, final {name} %", _percent, "max"),
        tables.Column("best", f"ours, best {name} %", _percent, "max"),
        tables.Column("seeds", "seeds"),
    ]


def _percent(value: Any) -> str:
    return tables.percent(value, DIGITS)


def notes(table: ResultTable) -> list[str]:
    """How to read the table, the teachers' scores, and what failed."""
    found = [
        "Ours: mean ± sample standard deviation over n seeds, student network. "
        "best: the highest of the validations on the way, chosen on the data that it is scored on."
    ]
    if table.paper:
        found.append(f"Paper: {table.source.rstrip('.')}.")
    teachers = [
        f"{row}, {labels} labels: {_percent(teacher)}"
        for labels in table.labels
        for row in table.rows
        if (teacher := score(table.seeds(row, labels), "teacher")) is not None
    ]
    if teachers:
        found.append(f"Teacher, final: {'; '.join(teachers)}.")
    found += [f"failed: {r.folder}: {r.failed}" for r in table.results if r.failed and r.final is None]
    return [*found, *table.notes]


def as_text(table: ResultTable) -> str:
    """The table for a terminal."""
    parts = [table.title]
    for labels in table.labels:
        parts += ["", f"{labels} labels", tables.text_table(lines(table, labels), columns(table)).rstrip()]
    return "\n".join([*parts, "", *notes(table)])


def as_markdown(table: ResultTable) -> str:
    """The table as a Markdown file, with notes and facts."""
    parts = [f"# {table.title}\n"]
    for labels in table.labels:
        parts += [f"## {labels} labels\n", tables.markdown_table(lines(table, labels), columns(table))]
    parts.append("\n".join(f"- {line}" for line in notes(table)) + "\n")
    parts.append("\n".join(f"- {key}: {tables.plain(value)}" for key, value in table.facts.items()))
    return "\n".join(parts).rstrip() + "\n"


def write_html(table: ResultTable, path: pathlib.Path) -> pathlib.Path:
    """Writes the table with a plot of all seeds as one self-contained page; returns its path."""
    figure = Figure(
        plot({f"{labels} labels": _points(table, labels) for labels in table.labels}),
        "Points: seeds; bars: their mean; diamonds: the paper. Percent.",
        f"Final {METRICS.get(table.metric, table.metric)} of every seed, by row: {', '.join(table.rows)}",
    )
    sections = [Section(f"{labels} labels", [Table(lines(table, labels), columns(table))]) for labels in table.labels]
    about = Section("About this table", [Text("\n\n".join(notes(table))), Facts(table.facts)])
    intro = f"{len(table.rows)} rows at {len(table.labels)} label counts; finished runs: {_finished(table)}."
    return write_page(path, title=table.title, intro=intro, sections=[*sections, Section("Seeds", [figure]), about])


def _finished(table: ResultTable) -> str:
    return f"{sum(result.final is not None for result in table.results)} of {len(table.results)}"


def _points(table: ResultTable, labels: int) -> dict[str, Points]:
    return {
        row: Points(
            [100.0 * result.final for result in table.seeds(row, labels) if result.final is not None],
            _quoted(table.paper.get((row, labels), "")),
        )
        for row in table.rows
    }


def _quoted(text: str) -> float | None:
    """The number at the head of a quotation such as "63.16 ± 0.89"."""
    try:
        return float(text.split()[0])
    except (IndexError, ValueError):
        return None


def as_json(table: ResultTable) -> dict[str, Any]:
    """Every number: the summary of each row and label count, and each run with folder, step, seed and commits."""
    summary = [
        {
            "row": row,
            "labels": labels,
            "paper": table.paper.get((row, labels)),
            **{kind: _json(score(table.seeds(row, labels), kind)) for kind in ("final", "best", "teacher")},
        }
        for labels in table.labels
        for row in table.rows
    ]
    runs = [_json(result) for result in table.results]
    head = {"title": table.title, "metric": table.metric, "source": table.source, "notes": notes(table)}
    return {**head, "facts": dict(table.facts), "summary": summary, "runs": runs}


def _json(value: Any) -> dict[str, Any] | None:
    """A dataclass as a JSON object; JSON has no NaN."""
    if value is None:
        return None
    found = dataclasses.asdict(value)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}
