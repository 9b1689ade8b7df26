"""Whether a run may go on in a folder: only with the configuration that it was begun with."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Iterator
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.experiment.config import ABSENT, UsageError, as_json
from sde_seg_jax.experiment.schedule import LENGTHS, follows
from sde_seg_jax.state_files import reading, schemas
from sde_seg_jax.training.checkpoints import CheckpointError, newest_step

CONFIG = "config.json"
# What a network learns does not depend on these: places, memory, and when something is written or looked at.
FREE = (
    *("data.raw_dir", "data.prepared_dir", "data.in_memory", "model.remat"),
    *("eval.batch_size", "eval.classes", "eval.depth_crop"),
    *(f"train.{key}" for key in ("log_every", "save_every", "eval_every", "picture_every", "collapse_after", "memory")),
)
# Left open in a configuration file, a run fills them in when it begins and keeps them: classes are those of prepared
# data that bring their own, lengths of the schedule are those of train.steps.
FILLED = ("data.classes", *(f"schedule.{key}" for key in LENGTHS))
EXTENDABLE = ("train.steps", *FREE)  # a finished run may also be made longer


def refuse_other_config(config: dict, folder: pathlib.Path | str, may_change: Collection[str] = FREE) -> None:
    """Raises UsageError if a run with another configuration was begun in `folder`; keys in `may_change` may differ.

    `config` is as `as_json` makes it, before "@stage" is replaced by a path: it stands for any folder of that name,
    so that a folder of runs can be moved or copied from another machine.
    """
    stored = begun(folder)
    if not stored:
        return
    before, now = dict(_flat(stored)), dict(_flat(config))
    given = [key for key in {**now, **before} if not (key in FILLED and _left_open(key, now))]
    absent = as_json(ABSENT)  # what is missing in an older configuration had this value then
    old, new = ({key: found.get(key, absent.get(key)) for key in given} for found in (before, now))
    changed = [key for key in given if key not in may_change and not _same(new[key], old[key])]
    if changed:
        key = changed[0]
        more = f", and {len(changed) - 1} more keys" if len(changed) > 1 else ""
        raise UsageError(
            f"{folder} was begun with another configuration (config.{key} differs: {old[key]!r} then, "
            f"{new[key]!r} now{more}): choose another --workdir, or delete that folder; "
            f"only these keys may change: {', '.join(may_change)}"
        )


def begun(folder: pathlib.Path | str) -> dict[str, Any]:
    """The configuration that a run or selection was begun with in `folder`; {} if there is none.

    Raises UsageError for a damaged one.
    """
    path = pathlib.Path(folder).expanduser() / CONFIG
    return read_json(path, schemas.CONFIG) if path.is_file() else {}


def steps_done(folder: pathlib.Path | str) -> int:
    """The newest checkpoint's step; 0 if there is none."""
    try:
        return newest_step(str(folder))
    except CheckpointError:
        return 0


def keep_places(stored: config_dict.ConfigDict, config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """A stored configuration with the keys that may change taken from `config`: the data may have moved since."""
    for key in FREE:
        section, name = key.split(".")
        if name in config.get(section, {}):
            stored[section][name] = config[section][name]
    return stored


def read_json(path: pathlib.Path, schema: reading.Schema) -> dict:
    """A JSON file of a run. Raises UsageError that names it, and the place in it, if it is damaged."""
    try:
        return reading.read_json(path, schema)
    except reading.DamagedFile as error:
        raise UsageError(str(error)) from error


def _flat(config: dict) -> Iterator[tuple[str, Any]]:
    for section, value in config.items():
        if isinstance(value, dict):
            yield from ((f"{section}.{key}", value[key]) for key in value)
        else:
            yield section, value


def _left_open(key: str, config: dict[str, Any]) -> bool:
    return follows(config.get(key)) if key.startswith("schedule.") else not config.get(key)


def _same(now: Any, before: Any) -> bool:
    if isinstance(now, str) and isinstance(before, str) and now.startswith("@"):
        wanted = pathlib.PurePath(now[1:]).parts  # of "@stage/file" both
        return pathlib.PurePath(before.removeprefix("@")).parts[-len(wanted) :] == wanted
    return now == before
