"""The runs of a table, as their folders show them: what is finished, what is to be resumed, what is missing."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import subprocess
from collections.abc import Collection, Sequence

from ml_collections import config_dict

import sde_seg_jax
from sde_seg_jax.display.result_table import Result
from sde_seg_jax.experiment.begun import CONFIG, read_json, steps_done
from sde_seg_jax.experiment.config import UsageError, call
from sde_seg_jax.experiment.evaluated import lacks_pictures, result_name, scores_in
from sde_seg_jax.experiment.selection.files import LIST, read_chosen
from sde_seg_jax.experiment.selection.plan import make_plan
from sde_seg_jax.experiment.selection.select import finished
from sde_seg_jax.experiment.selection.work import STUDENTS
from sde_seg_jax.state_files import schemas
from sde_seg_jax.state_files.writing import write_json
from sde_seg_jax.training.checkpoints import CheckpointError, locate
from sde_seg_jax.training.log import read_metrics

STATUS = "status.json"  # in a run's folder: {"commits": [...], "failed": "why it stopped, or empty"}


@dataclasses.dataclass(frozen=True)
class Item:
    """A run or a stage: what is to be trained or selected, where, and which stages it needs first."""

    name: str
    group: str  # the row; runs of a row take about the same time for a step
    folder: pathlib.Path
    config: config_dict.ConfigDict
    stages: tuple[str, ...] = ()
    split: str = ""  # that it is scored on, beside the validation split

    @property
    def selects(self) -> bool:
        """Whether it chooses images to label (cli.select)."""
        return "select" in self.config

    @property
    def steps(self) -> int:
        """Training steps that the configuration asks for; of a selection, those of all its students."""
        if not self.selects:
            return self.config.train.steps
        plan = call("select", make_plan, self.config.select)
        counts = plan.steps[:1] if plan.single else plan.steps[:-1]  # nothing is trained after the last
        return sum(map(plan.training_steps, counts)) if plan.trains else 0

    @property
    def trained_in(self) -> list[pathlib.Path]:
        """The folders with its checkpoints: its own; of a selection those of its students."""
        students = sorted((self.folder / STUDENTS).glob("*"))
        return [folder for folder in students if folder.is_dir()] if self.selects else [self.folder]


def scores_of(item: Item) -> dict | None:
    """The scores of a finished run; None if it is not trained to its end and evaluated there."""
    return scores_in(item.folder, item.steps, item.split)


def complete(item: Item) -> bool:
    """Whether nothing is left to do for a run: scored, and its pictures are there, or cannot be drawn any more."""
    return scores_of(item) is not None and (
        not lacks_pictures(item.folder) or steps_done(item.folder) != item.steps  # the checkpoint may have been deleted
    )


def trained(item: Item) -> bool:
    """Whether other runs can start from it: evaluated, and its last checkpoint is there; or weights brought along.

    Of a selection: its list is complete, or brought along.
    """
    if brought(item):
        return True
    if item.selects:
        return finished(item.config, item.folder)
    return scores_of(item) is not None and steps_done(item.folder) == item.steps


def needs_stages(item: Item) -> bool:
    """Whether it reads the stages that it starts from: to be evaluated, it needs none."""
    return not trained(item) if item.selects else steps_done(item.folder) < item.steps


def brought(item: Item) -> bool:
    """Whether the folder holds what was not made there: a checkpoint, such as cli.convert writes; or a list."""
    if (item.folder / CONFIG).is_file():
        return False
    if item.selects:
        return (item.folder / LIST).is_file()
    try:
        return locate(str(item.folder)).is_dir()
    except CheckpointError:
        return False


def state(item: Item) -> str:
    """For the plan: finished, to evaluate, to resume, failed or missing; brought along: weights or list, no run."""
    if item.selects:
        return _state_of_selection(item)
    if complete(item):
        return "finished"
    if brought(item):
        return "brought along"
    done = steps_done(item.folder)
    if done >= item.steps:
        return "to evaluate"
    if _status(item.folder)["failed"]:
        return f"failed at step {done:,} of {item.steps:,}, to try again"
    return f"to resume at step {done:,} of {item.steps:,}" if done else "missing"


def _state_of_selection(item: Item) -> str:
    if brought(item):
        return "brought along"
    if finished(item.config, item.folder):
        return "finished"
    chosen = f"{len(read_chosen(item.folder))} of {item.config.select.steps[-1]} labels"
    if _status(item.folder)["failed"]:
        return f"failed at {chosen}, to try again"
    return f"to resume at {chosen}" if (item.folder / CONFIG).is_file() else "missing"


def result_of(item: Item, row: str, labels: int, seed: int, metric: str) -> Result:
    """What a run's folder says. Raises UsageError if it was not scored in the table's metric."""
    scores, records, status = scores_of(item), read_metrics(str(item.folder)), _status(item.folder)
    found = Result(row, labels, seed, str(item.folder), item.steps, steps_done(item.folder), failed=status["failed"])
    if scores is None:
        return found
    if metric not in scores:
        raise UsageError(
            f"{item.folder / result_name(item.split)} has no '{metric}'; METRIC may be one of {', '.join(scores)}"
        )
    key = f"val/{metric}"
    best = max(((r[key], r["step"]) for r in records if r.get(key) is not None), default=(None, None))
    return dataclasses.replace(
        found,
        step=item.steps,
        final=_number(scores[metric]),
        best=best[0],
        best_step=best[1],
        teacher=_number(scores[f"teacher/{metric}"]) if f"teacher/{metric}" in scores else None,
        failed="",
        seconds=records[-1].get("seconds") if records else None,
        commits=status["commits"],
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)  # JSON has no NaN


def _status(folder: pathlib.Path) -> dict:
    path = folder / STATUS
    return {"commits": [], "failed": "", **(read_json(path, schemas.STATUS) if path.is_file() else {})}


def note_status(folder: pathlib.Path, failed: str = "") -> None:
    """Records beside a run which code trains it, and why it stopped, if it did."""
    commits = [*_status(folder)["commits"], *filter(None, [commit()])]
    status = {"commits": list(dict.fromkeys(commits)), "failed": failed}
    write_json(folder / STATUS, status)


def commits_of(folder: pathlib.Path) -> tuple[str, ...]:
    """The commits of the code that trained a run, as far as it noted them."""
    return tuple(_status(folder)["commits"])


def commit() -> str:
    """The commit of this code, with "-dirty" if files were changed; empty where that is not known."""
    root = pathlib.Path(sde_seg_jax.__file__).resolve().parents[1]
    if not (root / ".git").exists():  # installed: a repository further up is not ours
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def seconds_left(items: Sequence[Item], known: Collection[Item]) -> float | None:
    """An estimate for the items that are not finished, from the time a step took; None if nothing is known.

    A step of a row takes as long as it took in the row's other runs, or in all runs, if the row has none.
    """
    rates: dict[str, list[float]] = {}
    for item in known:
        seconds = [records[-1].get("seconds") for records in map(read_metrics, map(str, item.trained_in)) if records]
        done = trained(item) if item.selects else scores_of(item) is not None
        if done and item.steps and seconds and None not in seconds:
            rates.setdefault(item.group, []).append(sum(seconds) / item.steps)
    if not rates:
        return None
    every = [rate for found in rates.values() for rate in found]
    mean = {group: sum(found) / len(found) for group, found in rates.items()}
    left = [item.steps - sum(map(steps_done, item.trained_in)) for item in items]
    return sum(steps * mean.get(item.group, sum(every) / len(every)) for item, steps in zip(items, left, strict=True))
