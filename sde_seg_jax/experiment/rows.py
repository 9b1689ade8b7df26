"""Rows of a table file (configs/paper, configs/streets_ablation.py): the argument that names one, and its changes.

A table is data: `ROWS` maps a name that says what the row does to its changes, {"section.key": value}. The argument
of `get_config` is "row,key=value,...", as in "depthmix,labels=100,seed=43"; every part may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import UsageError, pick_row
from sde_seg_jax.lookup import suggest


def parse(arg: str, rows: Mapping[str, Any], options: Mapping[str, Any], file: str) -> tuple[str, dict[str, Any]]:
    """(row, options) of "row,key=value,...".

    The row is the first of `rows` unless it is named. `options` holds the known keys: a number is a default, a tuple
    of names lists the choices, the first the default. Raises UsageError for an unknown row, key or value, naming the
    nearest.
    """
    words = [word.strip() for word in arg.split(",") if word.strip()]
    row = words.pop(0) if words and "=" not in words[0] else next(iter(rows))
    pick_row(rows, row, file)
    found = {key: value[0] if isinstance(value, tuple) else value for key, value in options.items()}
    given: set[str] = set()
    for word in words:
        key, separator, text = (part.strip() for part in word.partition("="))
        if not separator:
            raise UsageError(f"{file}: '{word}' is neither first (the row) nor key=value; keys: {', '.join(options)}")
        if key not in options:
            raise UsageError(f"{file} has no option '{key}'; {suggest(key, options)}")
        if key in given:
            raise UsageError(f"{file}: {key} is given twice")
        given.add(key)
        found[key] = _value(key, text, options[key], file)
    return row, found


def _value(key: str, text: str, known: Any, file: str) -> Any:
    if isinstance(known, tuple):
        if text not in known:
            raise UsageError(f"{file}: {key}={text}: {suggest(text, known)}")
        return text
    if not text.isdecimal():
        raise UsageError(f"{file}: {key}={text}: expected a whole number")
    return int(text)


def change(config: ConfigDict, changes: Mapping[str, Any]) -> ConfigDict:
    """Sets {"section.key": value} in place; `check` refuses keys that nothing reads."""
    with config.ignore_type():
        for dotted, value in changes.items():
            section, key = dotted.split(".")
            config[section][key] = value
    return config
