"""A table of results beside the paper's: rows by label counts, over seeds.

`result_text`, `result_page` and `result_json` show it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sde_seg_jax.display import tables
from sde_seg_jax.display.gains import NOTE, Gain, paired

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
    """What the table shows. `paper` maps (row, labels) to the number as quoted; `source` says where.

    against: row -> the row that it is compared with, seed by seed. split: that was scored; "": the validation split.
    """

    title: str
    results: Sequence[Result]
    metric: str = "miou"
    paper: Mapping[tuple[str, int], str] = dataclasses.field(default_factory=dict)
    source: str = ""
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    against: Mapping[str, str] = dataclasses.field(default_factory=dict)
    split: str = ""

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


def gains(table: ResultTable, labels: int) -> list[Gain]:
    """Every row of `against` beside its partner: the student, then the teacher, if the row has one.

    A teacher is compared with the partner's teacher, or its student where it has none.
    """
    found = []
    for row, partner in table.against.items():
        mine, theirs = table.seeds(row, labels), table.seeds(partner, labels)
        student, other = _by_seed(mine, "final"), _by_seed(theirs, "final")
        teacher, other_teacher = _by_seed(mine, "teacher"), _by_seed(theirs, "teacher")
        found.append(paired(row, partner, labels, "student", student, other))
        found.append(paired(row, partner, labels, "teacher", teacher, other_teacher or other))
    return [gain for gain in found if gain is not None]


def _by_seed(results: Sequence[Result], kind: Literal["final", "teacher"]) -> dict[int, float]:
    finished = [result for result in results if result.final is not None]
    return {result.seed: getattr(result, kind) for result in finished if getattr(result, kind) is not None}


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
    best = [] if table.split else [tables.Column("best", f"ours, best {name} %", _percent, "max")]
    return [
        tables.Column("row", "row"),
        *paper,
        tables.Column("final", f"ours, final {name} %", _percent, "max"),
        *best,
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
    if table.split:
        found = [f"Ours: split {table.split}, last checkpoint: mean ± sample standard deviation over n seeds, student."]
    if table.against:
        found.append(NOTE)
    if table.paper:
        found.append(f"Paper: {table.source.rstrip('.')}.")
    teachers = [
        f"{row}, {labels} labels: {_percent(teacher)}"
        for labels in table.labels
        for row in table.rows
        if (teacher := score(table.seeds(row, labels), "teacher")) is not None
    ]
    if teachers:
        found.append(f"Teacher, final: {'. '.join(teachers)}.")
    found += [f"failed: {r.folder}: {r.failed}" for r in table.results if r.failed and r.final is None]
    return [*found, *table.notes]
