"""From a configuration's data section to the streams that training and evaluation read."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np

from sde_seg_jax.bounds import Bounds, Count, CountOrNone, Positive, Probability, Seed
from sde_seg_jax.data.reading import allocation, memory
from sde_seg_jax.data.reading.nominal import NominalCamera
from sde_seg_jax.data.reading.picks import Pick
from sde_seg_jax.data.reading.scaling import STORED, check_scale
from sde_seg_jax.data.reading.space import find_space
from sde_seg_jax.data.reading.stream import Source, collate
from sde_seg_jax.data.reading.subset import check_draw, indices_of, subset
from sde_seg_jax.data.spec import find
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT
from sde_seg_jax.types import Batch, Streams

SEED_STRIDE = 1_000_003  # every stream shuffles and augments with a seed of its own


@dataclasses.dataclass(frozen=True)
class Data:
    """One data set as a run sees it; splits are opened when they are first read."""

    dataset: str
    prepared_dir: str
    size: tuple[int, int]
    crop: tuple[int, int]
    flip: float
    batch_size: int
    labels: int
    label_file: str
    label_seed: int
    label_draw: str
    splits: Mapping[str, str]  # train, video, unlabeled, val -> split name
    in_memory: bool
    field_of_view: float = 0.0  # degrees across that are pretended; 0: the stored camera
    depth_cache: str = ""  # which disparities the field disparity has
    classes: Sequence[Sequence] = ()  # [name, red, green, blue], where the data set has none of its own
    source_domain: Data | None = None  # the labeled images of another domain, which the stream "source" reads
    scale: tuple[float, float] = STORED  # least and most that training images are made larger before they are cropped
    wrap: Callable[[Source], Source] | None = None  # changes every split as it is opened
    tell: Callable[[str], None] = SILENT.tell  # is called with lines for people
    opened: dict = dataclasses.field(default_factory=dict)

    @property
    def space(self) -> LabelSpace:
        """The data set's classes."""
        return find_space(self.dataset, self.classes, self.prepared_dir)

    def source(self, use: str, fields: Sequence[str]):
        """The prepared split for a use (train, video, unlabeled, val), with only the given optional fields."""
        key = (use, tuple(fields))
        if key not in self.opened:
            from sde_seg_jax.data.reading.source import open_source  # TFDS is needed only where prepared data is read

            cache = self.depth_cache if "disparity" in fields else ""
            source = open_source(self.dataset, self.prepared_dir, self.splits[use], cache)
            if tuple(source.size) != tuple(self.size):
                raise ValueError(
                    f"'{self.prepared_dir}' holds {self.dataset} at {tuple(source.size)}, config.data.size is "
                    f"{tuple(self.size)}; prepare into another data.prepared_dir or change data.size"
                )
            if self.classes and source.space.classes and source.space != self.space:
                raise ValueError(
                    f"'{self.prepared_dir}' has the classes {', '.join(source.space.classes) or 'none'}, the network "
                    f"{', '.join(self.space.classes)}; give the prepared_dir that it was trained with"
                )
            if self.field_of_view:
                source = NominalCamera(source, self.field_of_view)
            if self.wrap:
                source = self.wrap(source)
            if self.in_memory:
                self.tell(allocation.check_fits(source, fields, allocation.available_memory()))
            self.opened[key] = memory.load_into_memory(source, fields) if self.in_memory else source
        return self.opened[key]

    def labeled_names(self, fields: Sequence[str] = ("label",)) -> list[str]:
        """The chosen training samples, whose labels may be used; without the field label none need have one."""
        source = self.source("train", fields)
        if "label" in fields and not source.labeled.any():
            raise ValueError(
                f"'{self.dataset}' has no labeled images in '{self.prepared_dir}'; label some (see cli.select)"
            )
        if self.label_file:
            return subset(source, pathlib.Path(self.label_file), first=self.labels)
        return subset(source, self.labels or int(source.labeled.sum()), self.label_seed, draw=self.label_draw)

    def training(
        self,
        streams: Mapping[str, Sequence[str]],
        seed: int,
        start: int,
        picks: Mapping[str, Callable[[int], Pick]] | None = None,
    ) -> Iterator[Streams]:
        """Endless host batches from batch number `start` on; `streams` maps a stream to the fields it reads.

        `picks` says, for some streams, which crop stands at a position.
        """
        shared, picks = {"batch_size": self.batch_size, "start": start, **_hosts()}, picks or {}
        options, reader = self.stream_options(streams, seed), self._reader()
        return _zip({name: reader(**own, **shared, pick=picks.get(name)) for name, own in options.items()})

    def stream_options(self, streams: Mapping[str, Sequence[str]], seed: int) -> dict[str, dict]:
        """What decides the order of each stream and its crops, as `data.stream.Stream` takes it."""
        return {name: self._options(name, fields, seed) for name, fields in streams.items()}

    def of(self, stream: str) -> Data:
        """The data set that a stream reads: this one, or that of the source domain."""
        return self.source_domain if stream == "source" and self.source_domain is not None else self

    def _options(self, name: str, fields: Sequence[str], seed: int) -> dict:
        if self.of(name) is not self:
            return self.of(name)._options(name, fields, seed)
        use = _use(name, fields, bool(self.splits["unlabeled"]))
        if use == "unlabeled":
            fields = tuple(field for field in fields if field != "label")
        source = self.source(use, fields)
        options = {}
        if "label" in fields or name == "labeled":
            names = self.labeled_names(fields)
            if "label" in fields:
                options["labeled_names"] = names
            if name != "unlabeled":
                options["indices"] = indices_of(source, names)
        return {
            "source": source,
            "seed": seed + SEED_STRIDE * sorted(Streams.__dataclass_fields__).index(name),
            "crop": self.crop,
            "flip": self.flip,
            "scale": self.scale,
            "fields": fields,
            **options,
        }

    def split_of(self, name: str, fields: Sequence[str]) -> str:
        """The split that a training stream reads."""
        return self.splits[_use(name, fields, bool(self.splits["unlabeled"]))]

    def _reader(self):
        if self.in_memory:
            return memory.memory_batches
        from sde_seg_jax.data.reading.pipeline import batches  # imports TensorFlow

        return batches

    def validation(self, fields: Sequence[str], batch_size: int) -> Iterator[Batch]:
        """Every validation sample once, in order; of several processes each has every N-th batch."""
        source = self.source("val", fields)
        if self.in_memory:
            return memory.memory_eval_batches(source, batch_size, **_hosts())
        from sde_seg_jax.data.reading.pipeline import eval_batches

        return eval_batches(source, batch_size, fields=fields, **_hosts())

    def examples(self, fields: Sequence[str], count: int) -> Batch:
        """Validation samples for pictures, spread evenly over the set."""
        source = self.source("val", fields)
        places = np.unique(np.linspace(0, len(source) - 1, count).astype(int))
        return collate([source.read(int(i), fields) for i in places])

    def has(self, use: str, field: str) -> bool:
        """Does every sample of a use carry an optional field? Of labels: and has any sample one?"""
        from sde_seg_jax.data.reading.source import open_source

        source = open_source(self.dataset, self.prepared_dir, self.splits[use])
        return field in source.fields and (field != "label" or bool(source.labeled.any()))


def _use(name: str, fields: Sequence[str], unlabeled_split: bool) -> str:
    """Which split a stream reads: images without labels come from video, labeled frames have their neighbors with them.

    A split of its own for the unlabeled stream never has labels.
    """
    if name == "unlabeled" and unlabeled_split:
        return "unlabeled"
    return "video" if "neighbors" in fields and "label" not in fields else "train"


def _hosts() -> dict[str, int]:
    return {"host_index": together.index(), "host_count": together.count()}


def _zip(streams: Mapping[str, Iterator[Batch]]) -> Iterator[Streams]:
    while True:
        yield Streams(**{name: next(batches) for name, batches in streams.items()})


def open_data(
    tell: Callable[[str], None] = SILENT.tell,
    *,
    dataset: str,
    prepared_dir: str,
    size: Sequence[Count],
    crop: Sequence[Count],
    raw_dir: str = "",
    scale: Sequence[Positive] = STORED,
    flip: Probability = 0.5,
    batch_size: Count = 2,
    labels: CountOrNone = 0,
    label_file: str = "",
    label_seed: Seed = 42,
    label_draw: str = "ours",
    train_split: str = "train",
    video_split: str = "train",
    unlabeled_split: str = "",
    val_split: str = "val",
    in_memory: bool = False,
    field_of_view: Annotated[float, Bounds(0, 180, open_high=True)] = 0.0,
    depth_cache: str = "",
    classes: Sequence[Sequence] = (),
) -> Data:
    """The data section of a configuration; see configs/base.py for units. Raises ValueError for unknown data sets."""
    del raw_dir  # read by cli.prepare
    find(dataset)
    check_draw(label_draw)
    check_scale(scale)
    splits = {"train": train_split, "video": video_split, "unlabeled": unlabeled_split, "val": val_split}
    return Data(
        dataset,
        prepared_dir,
        tuple(size),
        tuple(crop),
        flip,
        batch_size,
        labels,
        label_file,
        label_seed,
        label_draw,
        splits,
        in_memory,
        field_of_view,
        depth_cache,
        classes,
        scale=tuple(scale),
        tell=tell,
    )
