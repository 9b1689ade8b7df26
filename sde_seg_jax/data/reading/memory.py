"""Samples in memory, and batches from them without TensorFlow: for hosts that have none, and small data sets.

`memory_batches` takes the arguments of `pipeline.batches` and yields the same bits.
"""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.fields import OPTIONAL_FIELDS
from sde_seg_jax.data.reading.allocation import keep_freed_memory
from sde_seg_jax.data.reading.augment import Window, cut_maps
from sde_seg_jax.data.reading.stream import Source, Stream, choose_fields, collate
from sde_seg_jax.data.spec import Size
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.state_files.reading import named, parse
from sde_seg_jax.state_files.schemas import SAMPLES
from sde_seg_jax.state_files.writing import replacing
from sde_seg_jax.types import Batch

REMEDY = "write it again with save_npz"


class MemorySource:
    """A `stream.Source` over decoded arrays.

    Args:
      examples: dicts as `codec.decode` returns them (image, intrinsics [4], name, labeled, optional fields),
        all with the same entries and shapes.
      space: the label space.
      name: for error messages.
    """

    def __init__(self, examples: Sequence[dict[str, Any]], space: LabelSpace, name: str = "memory"):
        if not examples:
            raise ValueError(f"{name!r} has no examples")
        self.name, self.space = name, space
        self.size: Size = examples[0]["image"].shape[:2]
        self.fields = tuple(field for field in OPTIONAL_FIELDS if field in examples[0])
        self.names = [str(example["name"]) for example in examples]
        self.labeled = np.array([example["labeled"] for example in examples], bool)
        self._examples = list(examples)

    def __len__(self) -> int:
        return len(self._examples)

    def read(self, index: int, fields: Sequence[str] | None = None, window: Window | None = None) -> dict[str, Any]:
        """Returns sample `index` with all, or only the given, optional fields; views of the window of its maps."""
        drop = set(OPTIONAL_FIELDS) - set(self.fields if fields is None else fields)
        return cut_maps({key: value for key, value in self._examples[index].items() if key not in drop}, window)


def load_into_memory(source: Source, fields: Sequence[str] | None = None) -> MemorySource:
    """Decodes every sample of `source` once; `allocation.decoded_bytes` tells how much memory that takes."""
    fields = choose_fields(source, fields)
    return MemorySource([source.read(i, fields) for i in range(len(source))], source.space, source.name)


def memory_batches(
    source: Source, *, seed: int, batch_size: int, prefetch: int = 2, threads: int = 0, **options: Any
) -> Iterator[Batch]:
    """Yields training batches start, start + 1, ... without end.

    Takes the arguments of `pipeline.batches`, which documents them. With `threads` that many batches are made at a
    time, and at most max(prefetch, threads) wait; with 0 each is made when it is asked for.
    """
    stream = Stream(source, seed=seed, batch_size=batch_size, **options)
    share = stream.share
    keep_freed_memory()

    def batch(t: int) -> Batch:
        return collate([stream.example(t * share + i) for i in range(share)])

    if threads:
        return _ahead(batch, stream.start, threads, max(prefetch, threads))
    return map(batch, itertools.count(stream.start))


def _ahead(batch: Callable[[int], Batch], start: int, threads: int, waiting: int) -> Iterator[Batch]:
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    try:
        pending = collections.deque(pool.submit(batch, t) for t in range(start, start + waiting))
        for t in itertools.count(start + waiting):
            found = pending.popleft().result()
            pending.append(pool.submit(batch, t))
            yield found
    finally:  # the consumer stopped: what was not begun is not wanted
        pool.shutdown(wait=True, cancel_futures=True)


def memory_eval_batches(
    source: Source, batch_size: int, fields: Sequence[str] | None = None, *, host_index: int = 0, host_count: int = 1
) -> Iterator[Batch]:
    """Yields every sample once, in order, uncropped; the last batch holds what is left.

    Of several hosts each reads every `host_count`-th of these batches.
    """
    fields = choose_fields(source, fields)
    starts = range(0, len(source), batch_size)
    chunks = (range(first, min(first + batch_size, len(source))) for first in starts[host_index::host_count])
    return (collate([source.read(i, fields) for i in chunk]) for chunk in chunks)


def save_npz(source: Source, path: str | os.PathLike) -> None:
    """Writes all decoded samples into one compressed file, to carry them to a host without prepared data.

    Raises OSError that names the file, whose name ends with .npz.
    """
    examples = [source.read(i) for i in range(len(source))]
    columns = {key: np.stack([example[key] for example in examples]) for key in examples[0]}
    space = source.space
    facts = {"source": source.name, "space": [space.name, space.classes, space.colors, space.ignore]}
    path = os.fspath(path)
    with replacing(path if path.endswith(".npz") else f"{path}.npz") as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), **columns)


def load_npz(path: str | os.PathLike) -> MemorySource:
    """Reads what `save_npz` wrote. Raises DamagedFile, OSError."""
    with named(path, REMEDY), open(path, "rb") as stream, np.load(stream) as file:
        columns = {key: file[key] for key in file.files}
        facts = parse(str(columns.pop("facts")), path, SAMPLES, REMEDY)
    name, classes, colors, ignore = facts["space"]
    space = LabelSpace(name, tuple(classes), tuple(map(tuple, colors)), ignore)
    count = len(columns["name"])
    examples = [{key: column[i] for key, column in columns.items()} for i in range(count)]
    return MemorySource(examples, space, facts["source"])
