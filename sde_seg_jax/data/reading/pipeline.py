"""Batches by tf.data, which reads and decodes ahead in parallel and yields NumPy.

TensorFlow never computes and never sees accelerators.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sde_seg_jax.data.fields import ALWAYS, FIELDS, OPTIONAL_FIELDS
from sde_seg_jax.data.reading.allocation import keep_freed_memory
from sde_seg_jax.data.reading.picks import Pick
from sde_seg_jax.data.reading.scaling import STORED
from sde_seg_jax.data.reading.stream import Source, Stream, choose_fields, to_batch
from sde_seg_jax.data.spec import Size
from sde_seg_jax.types import Batch

for _kind in ("GPU", "TPU"):
    tf.config.set_visible_devices([], _kind)

DTYPES = {name: tf.as_dtype({"str": "string"}.get(field.dtype, field.dtype)) for name, field in FIELDS.items()}
ENDLESS = np.iinfo(np.int64).max


def batches(
    source: Source,
    *,
    seed: int,
    batch_size: int,
    crop: Size | None = None,
    flip: float = 0.5,
    start: int = 0,
    host_index: int = 0,
    host_count: int = 1,
    indices: Sequence[int] | None = None,
    shuffle: bool = True,
    labeled_names: Collection[str] | None = None,
    fields: Sequence[str] | None = None,
    pick: Callable[[int], Pick] | None = None,
    scale: Sequence[float] = STORED,
    prefetch: int = 2,
    threads: int | None = None,
) -> Iterator[Batch]:
    """Yields training batches start, start + 1, ... without end. Batch t is a function of (seed, t).

    Args:
      source: where samples come from.
      seed: of order and augmentation; give every stream of a run its own.
      batch_size: samples of a global batch; a host yields batch_size / host_count of them.
      crop: (height, width) of a random window in pixels; None keeps the image whole.
      flip: probability of a horizontal mirror.
      start: number of the first batch; resuming after n steps is start=n.
      host_index, host_count: this host's share of every global batch.
      indices: draw only from these samples; None draws from all.
      shuffle: a new order every epoch; otherwise by index.
      labeled_names: labels of other samples are withheld: all IGNORE, labeled False. None keeps all labels.
      fields: optional fields to read; None reads all that the source has.
      pick: position in the global order -> sample and crop (such as `Matching.source`), instead of what seed, flip,
        indices and shuffle say; must be a function of the position alone, and safe to call from many threads.
      scale: least and most that images are made larger before a window is cut (`scaling.draw_size`). Batches then have
        the field valid: false where the window reaches beyond a smaller image.
      prefetch: batches read ahead.
      threads: that read and decode; None: one a core.

    Raises:
      ValueError: the crop exceeds the image, the batch does not divide among hosts, a name, index or field
        is unknown, or scale is given with pick.
    """
    stream = Stream(
        source,
        seed=seed,
        batch_size=batch_size,
        crop=crop,
        flip=flip,
        start=start,
        host_index=host_index,
        host_count=host_count,
        indices=indices,
        shuffle=shuffle,
        labeled_names=labeled_names,
        fields=fields,
        pick=pick,
        scale=scale,
    )
    slots = tf.data.Dataset.range(start * stream.share, ENDLESS)
    return _run(slots, stream.example, stream.carried, stream.share, prefetch, threads)


def eval_batches(
    source: Source,
    batch_size: int,
    *,
    fields: Sequence[str] | None = None,
    host_index: int = 0,
    host_count: int = 1,
    prefetch: int = 2,
    threads: int | None = None,
) -> Iterator[Batch]:
    """Yields every sample once, in order, uncropped; the last batch holds what is left.

    Of several hosts each reads every `host_count`-th of these batches.
    """
    fields = choose_fields(source, fields)
    slots = tf.data.Dataset.range(len(source))
    if host_count > 1:
        slots = slots.filter(lambda slot: slot // batch_size % host_count == host_index)
    return _run(slots, lambda index: source.read(index, fields), fields, batch_size, prefetch, threads)


def _run(
    slots: tf.data.Dataset,
    example: Callable[[int], dict[str, Any]],
    fields: Sequence[str],
    batch_size: int,
    prefetch: int,
    threads: int | None,
) -> Iterator[Batch]:
    keys = (*ALWAYS, *fields)

    def read(slot: np.ndarray) -> list[np.ndarray]:
        values = example(int(slot))
        return [np.ascontiguousarray(values[key]) if key in OPTIONAL_FIELDS else values[key] for key in keys]

    def read_in_graph(slot: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.numpy_function(read, [slot], [DTYPES[key] for key in keys], stateful=False)
        return dict(zip(keys, values, strict=True))

    keep_freed_memory()
    threads = threads or os.cpu_count()
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    dataset = slots.map(read_in_graph, num_parallel_calls=threads, deterministic=True)
    dataset = dataset.batch(batch_size).prefetch(prefetch).with_options(options)
    return _Batches(dataset)


class _Batches(Iterator[Batch]):
    """The batches of a tf.data pipeline, which ends before the interpreter does.

    Its threads call Python: one that asks for the interpreter after it has begun to end waits for ever, and with it
    whoever ends the pipeline.
    """

    def __init__(self, dataset: tf.data.Dataset):
        self._columns = dataset.as_numpy_iterator()
        _OPEN.add(self)

    def __next__(self) -> Batch:
        return _from_tensorflow(next(self._columns))

    def close(self) -> None:
        """Ends the threads that read ahead; nothing follows."""
        self._columns = iter(())


_OPEN: weakref.WeakSet[_Batches] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for batches in list(_OPEN):
        batches.close()


def _from_tensorflow(columns: dict[str, np.ndarray]) -> Batch:
    names = np.array([name.decode() for name in columns["name"]])
    return to_batch({**columns, "name": names})
