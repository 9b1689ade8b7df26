"""What a worker of Apache Beam does: it writes one file of the prepared data, by the loop of the local writer."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Sequence
from typing import Any

from sde_seg_jax.data.preparing.checks import Checks
from sde_seg_jax.data.preparing.shards import Shard
from sde_seg_jax.data.preparing.target import PARTS, Local, Remote, explained, open_target
from sde_seg_jax.data.preparing.work import Plan, Work
from sde_seg_jax.data.preparing.writing import write_shard
from sde_seg_jax.reporter import SILENT

ONE_AT_A_TIME = threading.Lock()  # runners have threads, and what warns is caught for a whole process


@dataclasses.dataclass(frozen=True)
class Job:
    """An element of the pipeline: a file, how many items its split has, and those of the file."""

    shard: Shard
    count: int
    items: list[Any]


@dataclasses.dataclass(frozen=True)
class Stretch(Sequence):
    """Items from `start` on of a list of `count`; the others are not here."""

    items: Sequence[Any]
    start: int
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index):
        return self.items[index - self.start]


@dataclasses.dataclass(frozen=True)
class FileWriter:
    """Writes the file of a job below `prepared_dir`.

    Attributes:
      plan: without items.
      prepared_dir: as all workers see it.
      skip_bad: as `prepare`.
      run: tells the problems of this pipeline from those of an earlier one.
    """

    plan: Plan
    prepared_dir: str
    skip_bad: bool
    run: str

    def __call__(self, job: Job) -> None:
        """Writes it. A problem with the data is noted for whoever started the pipeline: trying again would not help.

        Raises ValueError if the target cannot be written, upon which runners try again.
        """
        shard, spec = job.shard, self.plan.spec
        plan = dataclasses.replace(self.plan, items={shard.split: Stretch(job.items, shard.start, job.count)})
        target = open_target(self.prepared_dir, spec.name, spec.version)
        with ONE_AT_A_TIME, explained(target), target.writing_part():
            checks = Checks(plan, shard.split, self.skip_bad)
            with contextlib.closing(Work(plan, [shard], workers=1)) as work, SILENT.bar() as bar:
                try:
                    write_shard(shard, plan, work, checks, target, bar)
                except ValueError as error:
                    file = _problem_file(shard, self.run)
                    target.staging(file).write_text(json.dumps(str(error)))
                    target.put(file)


def problem_of(target: Local | Remote, shard: Shard, run: str) -> str | None:
    """Why a worker of this run could not write a file; None if it noted nothing."""
    text = target.read(_problem_file(shard, run))
    return None if text is None else json.loads(text)


def _problem_file(shard: Shard, run: str) -> str:
    return f"{PARTS}/{shard.file}.{run}.problem.json"
