"""References between runs: "@stage" in a configuration is the folder of that stage, beside this run's."""

from __future__ import annotations

import pathlib

from ml_collections import config_dict

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.home import expand

KEYS = ("model.init", "task.depth_checkpoint", "task.source_depth_checkpoint", "data.label_file", "select.start")


def resolve(config: config_dict.ConfigDict, siblings: pathlib.Path | None) -> config_dict.ConfigDict:
    """Replaces "@stage" by the folder of that name in `siblings`, in place; "@stage/file" likewise.

    And "~" by the home folder in all values.

    Raises UsageError for a reference where no folder of runs is given.
    """
    for key in (*KEYS, *(f"sources.{name}" for name in config.sources)):
        section, name = key.split(".")
        value = (config[section][name] if section in config and name in config[section] else "") or ""
        if value.startswith("@"):
            if siblings is None:
                raise UsageError(
                    f"config.{key}={value} names another run: give the folder of runs in which it lies "
                    f"(sds.start(config, runs=DIR)), or set {key} to a path"
                )
            config[section][name] = str(siblings / value[1:])
    return expand(config)
