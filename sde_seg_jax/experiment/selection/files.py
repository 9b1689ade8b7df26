"""The files of a selection: selection.csv for people and programs, labels.txt for training, facts to go on safely."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence

from sde_seg_jax.experiment.begun import read_json
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.selection.cells import read_rows, write_rows
from sde_seg_jax.processes import together
from sde_seg_jax.state_files.schemas import FACTS as FACTS_SCHEMA
from sde_seg_jax.state_files.schemas import LIMIT
from sde_seg_jax.state_files.writing import write_json, write_text

TABLE, LIST, FACTS = "selection.csv", "labels.txt", "facts.json"
KEPT = "delete it; what was computed before is kept"
MOST = 10**12  # labels in a list
COLUMNS = ("rank", "name", "step", "criterion", "score", "feature_distance", "depth_error")


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A row of selection.csv.

    Attributes:
      rank: from 1.
      name: of the sample.
      step: labels after the step in which it was chosen.
      criterion: what chose it: random, coreset, ds, us, ds_us, entropy; or start: it was labeled before.
      score: what was the largest of all; None for random ones.
      feature_distance: to the nearest sample chosen before; None where no features are looked at.
      depth_error: of the student at that step; None where there was none. Of `entropy`: the entropy.
    """

    rank: int
    name: str
    step: int
    criterion: str
    score: float | None = None
    feature_distance: float | None = None
    depth_error: float | None = None


def note(row: Chosen) -> str:
    """Why a sample was chosen, in a line."""
    values = {"score": row.score, "feature distance": row.feature_distance, "depth error": row.depth_error}
    return ", ".join([f"rank {row.rank}", row.criterion, *(f"{k} {v:.4g}" for k, v in values.items() if v is not None)])


def write_chosen(folder: pathlib.Path, chosen: Sequence[Chosen]) -> None:
    """Writes selection.csv and labels.txt, each whole or not at all."""
    write_text(folder / LIST, "".join(f"{row.name}\n" for row in chosen))
    write_text(folder / TABLE, write_rows([COLUMNS, *map(dataclasses.astuple, chosen)]))


def read_chosen(folder: pathlib.Path) -> list[Chosen]:
    """The rows of selection.csv; [] if there is none. Raises UsageError that names the file if it is damaged."""
    path = folder / TABLE
    if not path.is_file():
        return []
    try:
        rows = read_rows(path)
        if tuple(rows[0]) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(rows[0])}")
        found = [Chosen(int(r), name, int(step), by, *map(_number, rest)) for r, name, step, by, *rest in rows[1:]]
        if [row.rank for row in found] != list(range(1, len(found) + 1)):
            raise ValueError("its ranks are not 1, 2, 3, ...")
        for row in found:
            _check(row)
        twice = [name for name, count in collections.Counter(row.name for row in found).items() if count > 1]
        if twice:
            raise ValueError(f"it lists '{twice[0]}' twice")
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise UsageError(f"{path} is damaged ({error}): {KEPT}") from error
    return found


def _check(row: Chosen) -> None:
    """Raises ValueError for what no selection writes."""
    if row.step < row.rank or row.step > MOST:
        raise ValueError(f"its rank {row.rank} was chosen in a step of {row.step}")
    if not row.name or "\0" in row.name or not row.criterion.isprintable():
        raise ValueError(f"its rank {row.rank} has no name that a sample can have")
    for value in (row.score, row.feature_distance, row.depth_error):
        if value is not None and not abs(value) < LIMIT:
            raise ValueError(f"its rank {row.rank} has the score {value}")


def _number(text: str) -> float | None:
    return float(text) if text else None


def keep_facts(folder: pathlib.Path, facts: dict) -> None:
    """Notes what a selection was begun with. Raises UsageError if that was something else."""
    path = folder / FACTS
    before = read_json(path, FACTS_SCHEMA) if path.is_file() else {}
    for key, value in facts.items():
        if key in before and before[key] != value:
            raise UsageError(
                f"{folder} was begun with other {key} ({before[key]!r} then, {value!r} now): choose another --workdir, "
                "or delete that folder"
            )
    if together.is_first():
        write_json(path, before | facts)


def digest(names: Sequence[str]) -> str:
    """Of a list of names."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
