"""What is to be written, and the processes that code it: which items, in which shards, how much room they need."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.preparing import parallel, samples, shards
from sde_seg_jax.data.preparing.raw_state import State
from sde_seg_jax.data.preparing.shards import Shard
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import DatasetSpec
from sde_seg_jax.label_spaces import LabelSpace

CHUNK = 8  # neighboring items go to one worker: a video is decoded in runs
MEASURED = 16  # samples that are coded before all others, to tell how much room the whole needs
OVERHEAD, SHARD_OVERHEAD = 100, 98304  # bytes that ArrayRecord adds to a record, and (1.5 blocks) to a file

Place = tuple[str, int]  # split and number of an item


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that decides what is written."""

    spec: DatasetSpec
    recipe: dict[str, Any]
    space: LabelSpace
    items: Mapping[str, Sequence[Any]]  # of each split
    problems: Mapping[str, raw.Problems]  # what listing each split found
    warnings: Sequence[str]  # of listing
    raw: State  # of the raw files
    earlier: Mapping[str, Any] | None = None  # metadata of the finished splits that these join

    def shards(self) -> list[Shard]:
        """All shards, split by split."""
        return [shard for split, items in self.items.items() for shard in shards.cut(self.spec.name, split, len(items))]

    def schema(self):
        """The features of TFDS."""
        return shards.features(self.spec.fields, tuple(self.recipe["size"]), self.recipe["image_format"])

    def signature(self) -> dict[str, Any]:
        """JSON values that are equal if and only if two plans write the same."""
        digests = {split: hashlib.sha256(repr(list(items)).encode()).hexdigest() for split, items in self.items.items()}
        return {**self.recipe, "raw files": digests, "classes": list(self.space.classes)}


class Work:
    """Codes items of a plan in processes: first some that are spread over all, then the rest in order."""

    def __init__(self, plan: Plan, todo: Sequence[Shard], workers: int):
        self._plan, self.serialize = plan, shards.Serializer(plan.schema())
        places = [[(shard.split, index) for index in range(shard.start, shard.stop)] for shard in todo]
        self.todo: dict[str, list[Place]] = {}
        for shard, found in zip(todo, places, strict=True):
            self.todo.setdefault(shard.split, []).extend(found)
        self.count, self.shard_count = sum(map(len, places)), len(todo)
        self._first = [place for found in self.todo.values() for place in spread(found, self._share(len(found)))]
        self._jobs, first = [[place] for place in self._first], set(self._first)
        for found in places:
            rest = [place for place in found if place not in first]
            self._jobs += [rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK)]
        self._left, self._ready = iter(self._jobs), {}
        size, image_format = tuple(plan.recipe["size"]), plan.recipe["image_format"]
        code = samples.coder(plan.spec, size, image_format, plan.space)
        chunks = [[plan.items[split][index] for split, index in job] for job in self._jobs]
        self._results = parallel.in_order(code, chunks, workers)

    def close(self) -> None:
        """Stops the processes."""
        self._results.close()

    def measure(self) -> tuple[int, int]:
        """Bytes that the items to do will need, and the number of samples that this is extrapolated from."""
        sizes: dict[str, list[int]] = {split: [] for split in self.todo}
        for place in self._first:
            coded = self._outcome(place).coded
            if coded is not None:
                sizes[place[0]].append(len(self.serialize(coded.stored)) + OVERHEAD)
        known = [size for found in sizes.values() for size in found]
        means = {split: np.mean(found or known or [0]) for split, found in sizes.items()}
        total = sum(len(self.todo[split]) * mean for split, mean in means.items())
        return int(total) + self.shard_count * SHARD_OVERHEAD, len(known)

    def take(self, shard: Shard) -> Iterator[samples.Outcome]:
        """The outcomes of a shard, in order; each can be taken once."""
        for index in range(shard.start, shard.stop):
            outcome = self._outcome((shard.split, index))
            del self._ready[shard.split, index]
            yield outcome

    def _share(self, count: int) -> int:
        return min(count, max(2, round(MEASURED * count / self.count)))

    def _outcome(self, place: Place) -> samples.Outcome:
        while place not in self._ready:
            self._ready.update(zip(next(self._left), next(self._results), strict=True))
        return self._ready[place]


def spread(values: Sequence[Any], count: int) -> list[Any]:
    """`count` of the values at equal distances, in order."""
    return [values[int((index + 0.5) * len(values) / count)] for index in range(count)]
