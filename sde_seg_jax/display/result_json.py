"""A table of results as JSON: every number, and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from sde_seg_jax.display.result_table import Result, ResultTable, gains, notes, score

VALIDATION = "validation"  # the split that is scored unless another is named


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
    differences = [
        {**_json(gain), "n": gain.n, "verdict": gain.verdict}
        for labels in table.labels
        for gain in gains(table, labels)
    ]
    runs = [_json(result) for result in table.results]
    head = {"title": table.title, "metric": table.metric, "source": table.source, "notes": notes(table)}
    head["split"] = table.split or VALIDATION
    head["against"] = dict(table.against)
    return {**head, "facts": dict(table.facts), "summary": summary, "gains": differences, "runs": runs}


def from_json(found: Mapping[str, Any]) -> ResultTable:
    """The table that `as_json` wrote."""
    runs = [_with_nan(Result(**run)) for run in found["runs"]]
    split = "" if found["split"] == VALIDATION else found["split"]
    table = ResultTable(
        found["title"],
        runs,
        found["metric"],
        {(line["row"], line["labels"]): line["paper"] for line in found["summary"] if line["paper"] is not None},
        found["source"],
        facts=found["facts"],
        against=found["against"],
        split=split,
    )
    told = set(notes(table))
    return dataclasses.replace(table, notes=[note for note in found["notes"] if note not in told])


def _with_nan(run: Result) -> Result:
    """A finished run without a score has an undefined one."""
    undefined = run.final is None and not run.failed and 0 < run.steps == run.step
    return dataclasses.replace(run, final=math.nan) if undefined else run


def _json(value: Any) -> dict[str, Any] | None:
    """A dataclass as a JSON object; JSON has no NaN."""
    if value is None:
        return None
    found = dataclasses.asdict(value)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}
