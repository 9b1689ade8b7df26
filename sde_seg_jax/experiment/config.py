"""Configurations: their rows, keys and values (`config_files` says where they lie).

A config section is the keyword arguments of one function; `call` checks them against its signature, so that a typo is
an error at start-up that names the nearest right key.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.bounds import complaints
from sde_seg_jax.experiment.configuration.files import load_module
from sde_seg_jax.experiment.configuration.open_keys import DATA, may_set
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.finite_numbers import check_numbers
from sde_seg_jax.experiment.home import expand

SCHEDULE = "schedule.name"
ONE_OR_SEVERAL = ("eval.classes",)  # keys that hold a value or a tuple of such values
# What a key means where a configuration lacks it: one stored before the key existed, or one of a task or of data that
# have no such option.
ABSENT = {
    **dict.fromkeys(("data.unlabeled_split", "data.depth_cache", "source_data.depth_cache"), ""),
    **{f"{section}.{key}": "" for section in ("data", "source_data") for key in ("classes", "prepared_dir", "raw_dir")},
    **dict.fromkeys(("task.depth_checkpoint", "task.source_depth_checkpoint", "task.reference_encoder"), ""),
    "model.head_kind": "project",
    **{"model.decoder": "deeplab", "model.encoder_options": {}, "model.decoder_options": {}},
    **{"optim.decay_mask": "all", "optim.layer_decay": 1.0},
    "task.cross_domain": 0.0,
    "data.scale": (1.0, 1.0),
    "train.memory": 0,
    "task.weighting": "batch",
    "task.ramp": (0, 0),
    "task.kept": "unlabeled",
    "task.prior": 0.0,
    "task.temperature": 1.0,
    **{"task.divisor": "all", "task.teacher_decay": 0.99, "task.views": 1, "task.complementary": 0.0},
    **{"task.jitter_kind": "additive", "task.jitter_hue": None, "task.gray_probability": 0.0},
    "task.blur_sigma": (0.15, 1.15),
    "matching.candidates": 0,
    "select.spread": False,
    "eval.classes": 0,
    "eval.depth_crop": "none",
}


def load_config(path: str, row: str = "") -> config_dict.ConfigDict:
    """Runs `get_config(row)` of a configuration, a name or a path. Raises UsageError if it or the row is unknown."""
    module = load_module(path)
    if not hasattr(module, "get_config"):
        raise UsageError(f"--config={path}: defines no get_config(), which returns the configuration")
    if row and not inspect.signature(module.get_config).parameters:
        raise UsageError(f"--config={path}:{row}: this configuration has no rows; leave out ':{row}'")
    return (module.get_config(row) if row else module.get_config()).lock()


def override(config: config_dict.ConfigDict, overrides: Mapping[str, str]) -> config_dict.ConfigDict:
    """Replaces values by section.key -> text, and "~" by the home folder in all values, in place.

    Another `schedule.name` begins the section anew, since no two schedules share their options.
    Raises UsageError for unknown keys and bad values.
    """
    for key in sorted(overrides, key=lambda key: (key.startswith(tuple(DATA)), key != SCHEDULE)):  # names come first
        section, _, name = key.rpartition(".")
        if key != SCHEDULE and may_set(config, section, name):
            _check_key(config, section)
            value = _literal(overrides[key])
        else:
            _check_key(config, key)
            value = parse_value(overrides[key], _get(config, key), key)
        check_numbers(value, key)
        with config.unlocked(), config.ignore_type():
            if key == SCHEDULE and value != config.schedule.name:
                config.schedule = config_dict.ConfigDict()
            (_get(config, section) if section else config)[name] = value
    return expand(config)


def _literal(text: str) -> Any:
    """The value of a key of which no type is known; what is no literal is a text."""
    try:
        return ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        return text


@dataclasses.dataclass(frozen=True)
class ConfigFile:
    """A configuration (name or path), one of its rows, and values for some of its keys: section.key -> text.

    Of a row with a pipeline, STAGE.section.key is for that stage alone, and there before section.key, which is for all.
    """

    path: str
    row: str = ""
    overrides: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def config(self, row: str | None = None) -> config_dict.ConfigDict:
        """The configuration of a row (default: the one that was named), with the values replaced. Raises UsageError."""
        return override(load_config(self.path, self.row if row is None else row), self.overrides_of(row))

    def overrides_of(self, stage: str | None = None) -> dict[str, str]:
        """The values for a stage of the pipeline; None: for the pipeline itself, or a row without one."""
        pipeline = load_config(self.path, self.row).get("pipeline", {}) if self.path and self.overrides else {}
        stages = {name for names in pipeline.values() for name in names}
        parts = {key: key.partition(".") for key in self.overrides}
        of_all = {key: self.overrides[key] for key, (first, _, _) in parts.items() if first not in stages}
        own = {rest: self.overrides[key] for key, (first, _, rest) in parts.items() if first == stage in stages}
        return of_all | own


def pick_row(rows: dict[str, dict], row: str, file: str) -> dict:
    """For configuration files: the changes of a row. Raises UsageError that names the nearest row."""
    if row not in rows:
        near = difflib.get_close_matches(row, rows, 1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise UsageError(f"{file} has no row '{row}'; {hint}rows: {', '.join(rows)}")
    return rows[row]


def _check_key(config: config_dict.ConfigDict, dotted: str) -> None:
    node, seen = config, "config"
    for part in dotted.split("."):
        if not isinstance(node, config_dict.ConfigDict) or part not in node:
            keys = list(node.keys()) if isinstance(node, config_dict.ConfigDict) else []
            having = _tasks_with(part) if seen == "config.task" else ""
            raise UsageError(f"{_unknown_key(f'{seen}.{part}', part, keys)}{having}")
        node, seen = node[part], f"{seen}.{part}"


def _tasks_with(option: str) -> str:
    """Of config.task those keys are known that its task has: the words that name the tasks which have another one."""
    from sde_seg_jax.tasks.task import TASKS, find_task  # here: it brings jax, and is wanted for errors alone

    names = [name for name in TASKS.names() if option in inspect.signature(find_task(name).make_loss).parameters]
    return f"; an option of task.name={', '.join(names)}" if names else ""


def _unknown_key(where: str, key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown key '{where}': {hint}"


def call(section: str, function: Callable, arguments: Any, *positional: Any, **fixed: Any) -> Any:
    """function(*positional, **arguments, **fixed), after checking the keys against its signature.

    Raises UsageError for a key the function does not take, a required one that is missing, and a value that it cannot
    be.
    """
    check_section(section, function, arguments, fixed)
    return function(*positional, **plain(arguments), **fixed)


def check_keys(section: str, reader: Callable | Collection[str], keys: Iterable[str], fixed: Collection[str] = ()):
    """Compares a section's keys with the names, or the keyword arguments but the `fixed`, that are read from it.

    Raises UsageError for a key that nothing reads, and for a required one that is missing.
    """
    names, required = reader, ()
    if callable(reader):
        parameters = inspect.signature(reader).parameters
        names = [n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY and n not in fixed]
        required = [n for n in names if parameters[n].default is inspect.Parameter.empty]
    where = f"config.{section}" if section else "config"
    for key in keys:
        if key not in names:
            raise UsageError(_unknown_key(f"{where}.{key}", key, names))
    missing = [n for n in required if n not in keys]
    if missing:
        raise UsageError(f"{where} lacks '{missing[0]}'")


def check_section(section: str, reader: Callable, values: Mapping[str, Any], fixed: Collection[str] = ()) -> None:
    """Keys and values of a section against what its reader declares. Raises UsageError."""
    check_keys(section, reader, values, fixed)
    check_values(section, reader, plain(values))


def check_values(section: str, reader: Callable, values: Mapping[str, Any]) -> None:
    """Compares a section's values with the types and bounds that its reader declares. Raises UsageError."""
    for key, expected in complaints(reader, values).items():
        raise UsageError(f"config.{section}.{key}={values[key]!r}: expected {expected}")


def plain(section: Any) -> Any:
    """ConfigDict -> plain Python containers."""
    if isinstance(section, config_dict.ConfigDict):
        return {key: plain(value) for key, value in section.items()}
    return list(section) if isinstance(section, tuple) else section


def as_json(config: config_dict.ConfigDict) -> dict:
    """The configuration as JSON types, as stored in checkpoints and reports. Raises UsageError for other types."""
    try:
        return json.loads(json.dumps(plain(config)))
    except TypeError as error:
        raise UsageError(f"the configuration holds a value that is not JSON: {error}") from error


def value_of(config: Mapping[str, Any], key: str) -> Any:
    """config.section.name of the key "section.name"; what stands in ABSENT for it where the configuration lacks it."""
    section, name = key.split(".")
    return config[section][name] if section in config and name in config[section] else ABSENT[key]


def _get(config: config_dict.ConfigDict, dotted: str) -> Any:
    for part in dotted.split("."):
        config = config[part]
    return config


def parse_value(text: str, current: Any, key: str) -> Any:
    """A command-line value in the type of the value it replaces. Raises UsageError."""
    if isinstance(current, str):
        return text
    try:
        value = {"true": True, "false": False}.get(text.lower())
        value = ast.literal_eval(text) if value is None else value
    except (ValueError, SyntaxError):
        raise UsageError(f"config.{key}={text}: expected something like {current!r}") from None
    if value is None:  # "None" switches an optional value off; a function that needs one says so
        return None
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(current, (tuple, list)) and isinstance(value, (tuple, list)):
        return tuple(value)
    if key in ONE_OR_SEVERAL and isinstance(value, (tuple, list)) and all(type(one) is int for one in value):
        return tuple(value)
    if key in ONE_OR_SEVERAL and type(value) is int:
        return value
    if isinstance(current, config_dict.ConfigDict) or (current is not None and type(value) is not type(current)):
        raise UsageError(f"config.{key}={text}: expected something like {plain(current)!r}")
    return value
