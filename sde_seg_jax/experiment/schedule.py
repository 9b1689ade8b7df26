"""The learning-rate schedule of a configuration: its lengths follow train.steps, unless they are numbers of updates.

`schedule.steps=0` is train.steps, milestones in (0,1) are shares of it. A run notes them as numbers when it begins, and
keeps them: made longer, it goes on at the rate it ended with, and equals a run of the longer length with these numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.experiment.config import call
from sde_seg_jax.training.schedules import Schedule, find_schedule, spelled_out

LENGTHS = ("steps", "milestones")
OVER = ". From there on they are the last, near 0: to learn more, begin another run with config.model.init=THIS_FOLDER"


def make_factor(config: config_dict.ConfigDict) -> Schedule:
    """The learning-rate schedule of a configuration."""
    return call("schedule", _schedule(config), _in_updates(config))


def spell_out(
    config: config_dict.ConfigDict, begun: Mapping[str, Any], tell: Callable[[str], None]
) -> config_dict.ConfigDict:
    """A copy with numbers of updates for the lengths that follow train.steps: those of `begun` if it has them.

    begun: the stored configuration of the run that goes on, {} for a new one. `tell` hears of numbers that a new run
    would not have.
    """
    found, before = _in_updates(config), begun.get("schedule", {})
    for key in LENGTHS:
        if key in before and follows(config.schedule.get(key)):
            if before[key] != found.get(key):
                ended = OVER if key == "steps" else ""
                tell(
                    f"learning rates are those that the run was begun with: config.schedule.{key}={before[key]}{ended}"
                )
            found[key] = before[key]
    config = config.copy_and_resolve_references()
    with config.unlocked(), config.ignore_type():
        config.schedule = config_dict.ConfigDict({"name": config.schedule.name, **found})
    return config


def follows(length: Any) -> bool:
    """Whether a value of the section, a number or several, depends on train.steps; a missing one does."""
    if isinstance(length, (tuple, list)):
        return any(0 < milestone < 1 for milestone in length)
    return not length


def _schedule(config: config_dict.ConfigDict) -> Callable[..., Schedule]:
    return find_schedule(config.schedule.name)


def _in_updates(config: config_dict.ConfigDict) -> dict[str, Any]:
    section = {k: v for k, v in config.schedule.items() if k != "name"}
    return spelled_out(_schedule(config), section, config.train.steps)
