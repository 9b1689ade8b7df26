"""Runs a network over many images; what it finds lies in files of some hundred samples: an interruption costs one."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from sde_seg_jax.data.reading.memory import MemorySource, memory_eval_batches
from sde_seg_jax.data.reading.some import Some
from sde_seg_jax.experiment.prediction.predictor import padded
from sde_seg_jax.part import WHOLE, Part
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.state_files.reading import map_array
from sde_seg_jax.state_files.writing import write_array
from sde_seg_jax.training import sharding
from sde_seg_jax.types import Batch

BLOCK = 512  # samples a file, about
REMEDY = "delete it; the same command computes it again"

Function = Callable[[Any, dict[str, jax.Array]], jax.Array]  # (variables, {"image": ..., fields}) -> one row a sample


def scan(
    source: Any,
    indices: Sequence[int],
    function: Function,
    variables: Any,
    folder: pathlib.Path,
    *,
    batch_size: int,
    fields: Sequence[str] = (),
    title: str = "scan",
    block: int = BLOCK,
    reporter: Reporter = SILENT,
) -> np.ndarray:
    """What `function` finds for the samples `indices` of a source, in their order: float32 [len(indices), ...].

    Of several processes all call this; each computes files of its own, into a folder that all see.

    Args:
      source: the samples, as `stream.Source`.
      function: compiled; sees batches of exactly `batch_size` on all devices.
      variables: its first argument.
      folder: holds finished blocks; those that are there are not computed again. It must be of the same samples and
        variables: the caller sees to that.
      fields: optional fields beside the image that the function reads.
    """
    options = {"batch_size": batch_size, "fields": fields, "title": title, "block": block, "reporter": reporter}
    paths = scan_part(WHOLE, source, indices, function, variables, folder, **options)
    together.barrier()
    return joined(paths, len(indices))


def scan_part(
    part: Part,
    source: Any,
    indices: Sequence[int],
    function: Function,
    variables: Any,
    folder: pathlib.Path,
    *,
    batch_size: int,
    fields: Sequence[str] = (),
    title: str = "scan",
    block: int = BLOCK,
    reporter: Reporter = SILENT,
) -> list[pathlib.Path]:
    """The files of `scan`. Those of one part are there when it returns; others may compute theirs meanwhile.

    Of several processes each computes a share of the part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = max(1, block // batch_size) * batch_size  # batches are the same whether it was interrupted or not
    starts = range(0, len(indices), size)
    paths = [folder / f"{start:08d}.npy" for start in starts]
    own = list(together.part(part.of(list(zip(starts, paths, strict=True)))))
    total = sum(min(size, len(indices) - start) for start, _ in own)
    done = sum(min(size, len(indices) - start) for start, path in own if path.is_file())
    with reporter.bar(total=total, initial=done, desc=title, unit="img") as bar:
        mesh = sharding.own_mesh([batch_size])
        placed = sharding.replicate(variables, mesh) if done < total else None
        for start, path in own:
            if not path.is_file():
                chunk = Some(source, indices[start : start + size])
                rows = _rows(chunk, function, placed, mesh, batch_size, fields, bar)
                write_array(path, np.concatenate(list(rows)))
    return paths


def _rows(source: Some, function: Function, variables: Any, mesh, batch_size: int, fields, bar) -> Iterator[np.ndarray]:
    """The found rows of every batch; one batch is computed while the next is read."""
    waiting: tuple[int, jax.Array] | None = None
    for batch in _batches(source, batch_size, fields):
        count = len(batch.image)
        columns = {"image": batch.image, **{field: getattr(batch, field) for field in fields}}
        put = sharding.put({key: padded(value, batch_size) for key, value in columns.items()}, mesh)
        started = (count, function(variables, put))
        if waiting is not None:
            yield _fetch(*waiting, bar)
        waiting = started
    if waiting is not None:
        yield _fetch(*waiting, bar)


def _batches(source: Some, batch_size: int, fields: Sequence[str]) -> Iterator[Batch]:
    if isinstance(source.source, MemorySource):
        return memory_eval_batches(source, batch_size, fields)
    from sde_seg_jax.data.reading.pipeline import eval_batches  # imports TensorFlow

    return eval_batches(source, batch_size, fields=fields)


def _fetch(count: int, found: jax.Array, bar) -> np.ndarray:
    rows = np.asarray(found, np.float32)[:count]
    bar.update(count)
    return rows


def joined(paths: Sequence[pathlib.Path], count: int) -> np.ndarray:
    """The files of `scan` in one array; never twice in memory."""
    first = map_array(paths[0], REMEDY)
    if not first.ndim:
        raise ValueError(f"'{paths[0]}' holds a single number: {REMEDY}")
    whole = np.empty((count, *first.shape[1:]), np.float32)
    place = 0
    for path in paths:
        rows = map_array(path, REMEDY)
        if rows.shape[1:] != first.shape[1:] or rows.dtype != np.float32 or place + len(rows) > count:
            raise ValueError(f"'{path}' does not fit the other files of its folder: delete '{path.parent}'")
        whole[place : place + len(rows)] = rows
        place += len(rows)
    if place != count:
        raise ValueError(f"'{paths[0].parent}' holds {place} rows, {count} are expected: delete it")
    return whole
