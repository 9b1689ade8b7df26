"""Which classes a configuration means: those of its data set, or those that a person's own files bring.

The latter are in the prepared data; cli.train notes them in `config.data.classes`, so that a checkpoint is enough to
predict, evaluate and report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.data.reading.space import find_space
from sde_seg_jax.data.spec import find
from sde_seg_jax.experiment.config import plain, value_of
from sde_seg_jax.label_spaces import LabelSpace

UNKNOWN = 2  # classes of a network that is only looked at, while nothing tells how many there will be


def space_of(config: Mapping[str, Any]) -> LabelSpace | None:
    """The classes that a configuration means, see `find_space`; None if nothing tells them yet.

    Images without classes of their own take those of the source domain, if there is one.
    """
    found = _space_in(config, "data", "dataset")
    if "source_data" in config and (found is None or not found.num_classes):
        return source_space(config) or found
    return found


def source_space(config: Mapping[str, Any]) -> LabelSpace | None:
    """The classes of the source domain; None if there is none, or if nothing tells them yet."""
    return _space_in(config, "source_data", "source_dataset") if "source_data" in config else None


def _space_in(config: Mapping[str, Any], section: str, options: str) -> LabelSpace | None:
    places = (value_of(config, f"{section}.{key}") for key in ("classes", "prepared_dir", "raw_dir"))
    return find_space(config[section]["dataset"], *places, plain(config.get(options, {})))


def class_count(config: Mapping[str, Any]) -> int:
    """How many classes a network of the configuration has; UNKNOWN while nothing tells."""
    space = space_of(config)
    return UNKNOWN if space is None else space.num_classes


def note_classes(config: config_dict.ConfigDict) -> list[list[Any]]:
    """Writes the classes that the prepared data bring into `config.data.classes` and returns them; else []."""
    if find(config.data.dataset).space is not None:
        return []
    space = space_of(config)
    found = [[name, *map(int, color)] for name, color in zip(space.classes, space.colors, strict=True)]
    with config.unlocked(), config.ignore_type():
        config.data.classes = found
    return found
