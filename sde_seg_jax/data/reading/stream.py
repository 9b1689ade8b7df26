"""What batch t holds, as a function of (seed, t): what the reader with and the one without TensorFlow share.

Global batch t covers the positions [t*B, (t+1)*B); every host reads its own contiguous share of them. A
reader asks for this host's slots 0, 1, 2, ...: `share` slots make a batch. A position fixes the sample and its
augmentation (`picks.PlainPicks`, or another function of the position), so reading can start anywhere, and any number
of threads may run ahead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import numpy as np

from sde_seg_jax.data.fields import OPTIONAL_FIELDS
from sde_seg_jax.data.reading import augment, order
from sde_seg_jax.data.reading.picks import Pick, PlainPicks
from sde_seg_jax.data.reading.scaling import STORED, check_scale
from sde_seg_jax.data.reading.subset import indices_of
from sde_seg_jax.data.spec import Size
from sde_seg_jax.data.window import Window
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import Batch, Intrinsics


class Source(Protocol):
    """Random access to the samples of one split, all of one size. Decoded arrays: see `codec.decode`."""

    name: str
    space: LabelSpace
    size: Size
    fields: tuple[str, ...]  # which of OPTIONAL_FIELDS every sample has
    names: list[str]
    labeled: np.ndarray  # bool [N]: has this sample ground truth?

    def __len__(self) -> int: ...

    def read(
        self, index: int, fields: Sequence[str] | None = None, window: Window | None = None
    ) -> dict[str, Any]: ...  # of maps only the window; the intrinsics are those of the whole image


@dataclasses.dataclass(frozen=True)
class Stream:
    """One host's endless training stream. `pipeline.batches` documents the arguments."""

    source: Source
    seed: int
    batch_size: int
    crop: Size | None = None
    flip: float = 0.5
    start: int = 0
    host_index: int = 0
    host_count: int = 1
    indices: Sequence[int] | None = None
    shuffle: bool = True
    labeled_names: Collection[str] | None = None
    fields: Sequence[str] | None = None
    pick: Callable[[int], Pick] | None = None
    scale: Sequence[float] = STORED

    def __post_init__(self):
        source = self.source
        keep = np.asarray(range(len(source)) if self.indices is None else self.indices, np.int64)
        if not keep.size or keep.min() < 0 or keep.max() >= len(source):
            raise ValueError(f"indices must be a non-empty choice of 0..{len(source) - 1} of {source.name!r}")
        crop = tuple(self.crop or source.size)
        check_scale(self.scale)
        augment.check_crop(crop, source.size, source.name)
        order.host_slice(self.batch_size, self.host_index, self.host_count)
        known = source.labeled.copy()
        if self.labeled_names is not None:
            chosen = indices_of(source, sorted(self.labeled_names))
            known &= np.isin(np.arange(len(source)), chosen)
        if self.pick and tuple(self.scale) != STORED:
            raise ValueError("a stream whose crops are picked for it scales none: leave scale out")
        pick = self.pick or PlainPicks(self.seed, keep, source.size, crop, self.flip, self.shuffle, self.scale)
        for name, value in {"indices": keep, "crop": crop, "known": known, "pick": pick}.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "fields", choose_fields(source, self.fields))

    @property
    def carried(self) -> tuple[str, ...]:
        """The optional fields of its examples: what is read, and with scaled images where they are."""
        return self.fields if tuple(self.scale) == STORED else (*self.fields, "valid")

    @property
    def share(self) -> int:
        """Samples of a global batch that this host reads."""
        return self.batch_size // self.host_count

    def example(self, slot: int) -> dict[str, Any]:
        """Returns the augmented example of this host's slot, counted from batch 0."""
        batch, place = divmod(slot, self.share)
        position = batch * self.batch_size + self.host_index * self.share + place
        pick = self.pick(position)
        example = self.source.read(pick.index, self.fields, pick.augmentation.window)
        example["labeled"] = self.known[pick.index]
        if "label" in example and not self.known[pick.index]:
            example["label"] = np.full_like(example["label"], self.source.space.ignore)
        return augment.adjust(example, pick.augmentation)


def choose_fields(source: Source, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the optional fields to read: all that `source` has, or the wanted, which must be there."""
    missing = set(wanted or ()) - set(source.fields)
    if missing:
        known = getattr(source, "remedies", {})  # prepared data can say what they were made without
        remedy = "".join(f"; {known[field]}" for field in sorted(missing) if field in known)
        raise ValueError(f"{source.name!r} has no {sorted(missing)}; it has {list(source.fields)}{remedy}")
    return tuple(f for f in OPTIONAL_FIELDS if f in (source.fields if wanted is None else wanted))


def collate(examples: Sequence[dict[str, Any]]) -> Batch:
    """Stacks examples of one size into a batch."""
    columns = {key: np.stack([example[key] for example in examples]) for key in examples[0]}
    return to_batch(columns)


def to_batch(columns: dict[str, np.ndarray]) -> Batch:
    """Names the stacked columns. Samples of a data set without labels count as unlabeled."""
    intrinsics = Intrinsics(*(np.ascontiguousarray(column) for column in columns["intrinsics"].T))
    optional = {field: columns[field] for field in OPTIONAL_FIELDS if field in columns}
    return Batch(
        image=columns["image"],
        intrinsics=intrinsics,
        labeled=columns["labeled"],
        name=columns["name"],
        **optional,
    )
