"""Prepared data that are not complete yet: which shards are there, and what became of their items."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.preparing.shards import Shard
from sde_seg_jax.data.preparing.target import PARTS, Local, Remote
from sde_seg_jax.data.preparing.work import Plan
from sde_seg_jax.data.stored.codec import Coded
from sde_seg_jax.state_files.reading import DamagedFile, parse
from sde_seg_jax.state_files.schemas import PART
from sde_seg_jax.state_files.schemas import PLAN as PLAN_SCHEMA

PLAN = f"{PARTS}/plan.json"


class Facts:
    """What became of the items of one shard; kept beside it until the whole is complete."""

    def __init__(self, classes: int):
        self.names: list[str] = []
        self.labeled: list[bool] = []
        self.fields: list[str] | None = None
        self.pixels = np.zeros(classes + 1, np.int64)  # of each class, and ignored ones
        self.images = np.zeros(classes, np.int64)  # how many contain each class
        self.left_out: list[str] = []
        self.warnings: list[str] = []

    def add(self, coded: Coded, fields: Sequence[str]) -> None:
        """Counts a sample that is stored; `fields` are those that its whole split has."""
        self.fields = list(fields)
        self.names.append(coded.stored["name"])
        self.labeled.append(coded.stored["labeled"])
        self.pixels += coded.pixels
        self.images += coded.pixels[:-1] > 0

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        values = vars(self)
        return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in values.items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Facts:
        """The inverse of `as_json`."""
        facts = cls(0)
        for key in vars(facts):
            array = isinstance(getattr(facts, key), np.ndarray)
            setattr(facts, key, np.array(values[key], np.int64) if array else values[key])
        return facts


class Unfinished:
    """The shards of a plan that a target holds already."""

    def __init__(self, plan: Plan, target: Local | Remote):
        self._plan, self._target = plan, target
        self.done: dict[str, tuple[Facts, int]] = {}  # file -> facts, bytes
        self.differs = self._difference()
        if self.differs is None:
            for shard in plan.shards():
                self._look(shard)
        self.todo = [shard for shard in plan.shards() if shard.file not in self.done]

    def begin(self) -> None:
        """Notes the plan in the target, after removing what can't be continued."""
        if self.differs is not None:
            self._target.clear()
            _note(self._target, PLAN, self._plan.signature())

    def join(self) -> None:
        """Notes the plan unless it is there: others may be writing, so nothing is removed.

        Raises ValueError if what is there can't be continued.
        """
        if self.differs == "":
            _note(self._target, PLAN, self._plan.signature())
            self.differs = None
        else:
            self._refuse(self.differs)

    def confirm(self) -> None:
        """Raises ValueError if another plan was noted since `join`: parts with other flags started at that moment."""
        self._refuse(self._difference())

    def _refuse(self, difference: str | None) -> None:
        if difference is not None:
            raise ValueError(
                f"'{self._target.written}' is of {difference or 'nothing'}; give every part the same flags and raw "
                f"files, or delete that folder"
            )

    def _difference(self) -> str | None:
        """Why what is there can't be continued; None if it can, "" if there is nothing."""
        text = self._target.read(PLAN)
        if text is None:
            return ""
        try:
            found, wanted = parse(text, PLAN, PLAN_SCHEMA), self._plan.signature()
        except DamagedFile:
            return f"a damaged {PLAN}"
        changed = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
        return f"other {changed[0]}" if changed else None

    def _look(self, shard: Shard) -> None:
        text = self._target.read(_facts_file(shard))
        size = self._target.size(shard.file)
        if text is None or size is None:
            return
        try:
            values = parse(text, _facts_file(shard), PART)
        except DamagedFile:  # what it tells of is made again
            return
        counts = (len(values["names"]), len(values["pixels"]) - 1, len(values["images"]))
        if (values.pop("bytes"), *counts) == (size, len(values["labeled"]), *[self._plan.space.num_classes] * 2):
            self.done[shard.file] = Facts.from_json(values), size


def put_shard(target: Local | Remote, shard: Shard, facts: Facts) -> int:
    """Makes a shard count that lies complete in the target's staging place; its facts come first. Returns its bytes."""
    size = target.staging(shard.file).stat().st_size
    _note(target, _facts_file(shard), {**facts.as_json(), "bytes": size})
    target.put(shard.file)
    return size


def _note(target: Local | Remote, file: str, values: Any) -> None:
    target.staging(file).write_text(json.dumps(values))
    target.put(file)


def _facts_file(shard: Shard) -> str:
    return f"{PARTS}/{shard.file}.json"
