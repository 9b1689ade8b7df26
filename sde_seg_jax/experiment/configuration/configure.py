"""A configuration by name, with some of its values replaced, for programs: what --config=... does on a command line."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.experiment.config import ConfigFile, UsageError, override
from sde_seg_jax.experiment.configuration.files import split


def configure(name: str, changes: Mapping[str, Any]) -> config_dict.ConfigDict:
    """The configuration FILE[:row] with values replaced (`replace`). Raises UsageError for an unknown file or row."""
    return replace(ConfigFile(*split(name)).config(), changes)


def replace(config: config_dict.ConfigDict, changes: Mapping[str, Any]) -> config_dict.ConfigDict:
    """Replaces {"section.key": value}, or whole sections: {"losses": {...}}, in place, and returns the configuration.

    A term with options is a value, too: {"losses.feature_distance": {"weight": 0.1, ...}}.

    Raises:
      UsageError: an unknown section or key, naming the nearest, or a value of another type.
    """
    for section, value in changes.items():
        if _is_section(section, value):
            if not isinstance(config.get(section), config_dict.ConfigDict):
                near = difflib.get_close_matches(section, config, 1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise UsageError(f"'{section}' is no section of the configuration{hint}")
            with config.unlocked():
                config[section] = config_dict.ConfigDict(dict(value))
    return override(config, {key: _text(value) for key, value in changes.items() if not _is_section(key, value)})


def _is_section(key: str, value: Any) -> bool:
    return isinstance(value, Mapping) and "." not in key


def _text(value: Any) -> str:
    """As it is written on a command line."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        value = dict(value)
    return value if isinstance(value, str) else repr(tuple(value) if isinstance(value, list) else value)
