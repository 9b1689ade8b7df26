"""Home folders in paths: ~/data where no shell has replaced it, as in --config.data.raw_dir=~/data."""

from __future__ import annotations

import os
from typing import Any

from ml_collections import config_dict


def expanded(value: Any) -> Any:
    """The value with the home folder in place of "~" (or "~name"), wherever a text in it begins so."""
    if isinstance(value, str):
        return os.path.expanduser(value) if value.startswith("~") else value
    if isinstance(value, (list, tuple)):
        return type(value)(map(expanded, value))
    if isinstance(value, dict):
        return {key: expanded(one) for key, one in value.items()}
    return value


def expand(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """Replaces "~" in all values of a configuration, in place. Nothing in one but a path begins so."""
    for key, value in config.items():
        if isinstance(value, config_dict.ConfigDict):
            expand(value)
        elif (found := expanded(value)) != value:
            config[key] = found
    return config
