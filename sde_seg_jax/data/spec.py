"""What a data set is: one small description, found by module name. Nothing here imports TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sde_seg_jax.data.fields import STORED_FIELDS
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.lookup import Kind

DATASETS = Kind("data set", "sde_seg_jax.data.datasets", attribute="SPEC", group="sde_seg_jax.datasets")

Size = tuple[int, int]  # (height, width) in pixels


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """How raw files become examples. `items` lists them, `load` makes one: so preparation can use all cores.

    `items(split, raw_dir, problems=problems, **options)` returns a sequence of small picklable values, in the
    order in which the samples are stored; what is wrong with single samples goes to `problems`
    (`raw.Problems`). `load(item, size)` returns a raw example, a dict of

      image      uint8 [h, w, 3]
      intrinsics (fx, fy, cx, cy) in pixels of that image, pixel centres at integers
      name       readable id, unique in its split
      neighbors  uint8 [2, h, w, 3], frames -1 and +1       (for all samples of a split, or for none)
      label      integer [h, w] of training ids, or None if unlabeled
      depth      float [h, w] metres, 0 or inf = none
      pose       float [2, 4, 4], source_from_target
      files      {field: path}, named in error messages

    of any size (it is resized to the stored size), optional entries as `fields` declares. Both are
    module-level functions.
    """

    name: str
    version: str  # "major.minor.patch"; raise it when the prepared values change
    space: LabelSpace | None  # None: the raw files bring their classes, see `read_space`
    splits: tuple[str, ...]
    items: Callable[..., Sequence[Any]]
    load: Callable[[Any, Size], dict[str, Any]]
    fields: tuple[str, ...] = ("label",)  # subset of STORED_FIELDS
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # names and defaults of `items`' options
    layout: str | None = None  # the raw folder in one line; None: made without raw files
    remedies: Mapping[str, str] = dataclasses.field(default_factory=dict)  # what to do where a field is missing
    read_space: Callable[..., LabelSpace] | None = None  # (raw_dir, **options) -> the classes, where space is None
    held_out_video: str = ""  # a split beside `splits`, prepared when asked for: held-out frames with neighbors
    raw_state: Callable[[Any], dict[str, tuple[int, str]]] | None = None  # raw_dir -> {"labels": (count, digest)}
    pixel_aspect: float | None = 1.0  # fy / fx of the raw images, not 1 where pixels are not square; None: unknown

    def __post_init__(self):
        unknown = set(self.fields) - set(STORED_FIELDS)
        if unknown:
            raise ValueError(f"{self.name!r} declares fields {sorted(unknown)}; possible are {STORED_FIELDS}")

    @property
    def all_splits(self) -> tuple[str, ...]:
        """The splits that can be prepared, also the one that is not unless it is named."""
        return (*self.splits, self.held_out_video) if self.held_out_video else self.splits

    def complete(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options with defaults filled in; an unknown one is an error naming the known ones."""
        for key in options:
            if key not in self.options:
                raise ValueError(f"{self.name!r} has no option {key!r}; known options: {sorted(self.options)}")
        return {**self.options, **options}


def known() -> list[str]:
    """Names of all data sets: the modules of `sde_seg_jax.data.datasets`, and what other packages offer."""
    return DATASETS.names()


def find(name: str | DatasetSpec) -> DatasetSpec:
    """Returns the description of data set `name` (a description is returned as it is).

    Raises:
      ValueError: there is no such data set; the message lists the known ones.
    """
    if isinstance(name, DatasetSpec):
        return name
    return DATASETS.find(name).SPEC
