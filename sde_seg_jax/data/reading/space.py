"""The classes of a data set: its own, or those that a person's own files bring."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.finished import find_prepared, label_space, metadata
from sde_seg_jax.label_spaces import LabelSpace


def find_space(
    dataset: str,
    classes: Sequence[Sequence[Any]] = (),
    prepared_dir: str = "",
    raw_dir: str = "",
    options: Mapping[str, Any] | None = None,
) -> LabelSpace | None:
    """The classes of a data set; None if nothing tells them yet.

    Args:
      dataset: its name.
      classes: [name, red, green, blue] of each class, for a data set without classes of its own.
      prepared_dir, raw_dir: where to look, in this order, if there are none.
      options: of the data set.

    Raises:
      ValueError: the files there are damaged or inconsistent.
    """
    spec = find(dataset)
    if spec.space is not None:
        return spec.space
    if classes:
        return LabelSpace(spec.name, tuple(name for name, *_ in classes), tuple(tuple(color) for _, *color in classes))
    folder = find_prepared(spec, prepared_dir) if prepared_dir else None
    if folder is not None:
        return label_space(metadata(folder))
    if raw_dir and pathlib.Path(raw_dir).is_dir():
        return spec.read_space(pathlib.Path(raw_dir), **(options or {}))
    return None
