"""Right spellings: what was meant by a flag that does not exist, and by a key whose value does not follow '='."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Sequence

from ml_collections import config_dict

from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.configuration.files import split

SHOWN, CLOSE = 3, 0.8  # keys that are shown, and how alike they are
USUAL = "base"  # the configuration whose keys are looked at if none is named
VALUE = "VALUE"  # stands for one that was not given


def of_override(argument: str, after: Sequence[str]) -> str:
    """The error for `--config.x.y VALUE`: the value belongs to the same word."""
    value = _following(after)
    given = argument if value == VALUE else f"{argument} {value}"
    return f"{given}: a value stands after '='; write {_written(argument.removeprefix('--config.'), value)}"


def of_flag(name: str, unknown: str, words: Sequence[str]) -> str:
    """The error for an unknown flag: if a key of the configuration ends like it, how that is written.

    Args:
      name: of the flag.
      unknown: the error without this knowledge.
      words: the whole command line.
    """
    reference = _value("config", words)
    found = _keys_like(name.removeprefix("config."), USUAL if reference == VALUE else reference)[:SHOWN]
    if not found:
        return unknown if "mean" in unknown else f"{unknown}; --help lists the flags of this command"
    value = _value(name, words)
    meant = " or ".join(_written(key, value) for key in found)
    return f"Unknown command line flag '{name}'; keys of the configuration are written with --config: {meant}"


def _keys_like(name: str, reference: str) -> list[str]:
    try:
        keys = list(_keys(load_config(*split(reference))))
    except Exception:  # whatever is wrong with it, the flag is, too, and was there first
        return []
    last = name.rpartition(".")[2]
    same = [key for key in keys if key == name] or _ending(keys, last)
    near = difflib.get_close_matches(last, {key.rpartition(".")[2] for key in keys}, 1, CLOSE)
    return (
        same or difflib.get_close_matches(name, keys, 1, CLOSE) or [key for one in near for key in _ending(keys, one)]
    )


def _ending(keys: Sequence[str], last: str) -> list[str]:
    return [key for key in keys if key.rpartition(".")[2] == last]


def _keys(config: config_dict.ConfigDict, above: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, config_dict.ConfigDict):
            yield from _keys(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def _value(name: str, words: Sequence[str]) -> str:
    for place, word in enumerate(words, start=1):
        flag, separator, value = word.lstrip("-").partition("=")
        if word.startswith("-") and flag == name:
            return value if separator else _following(words[place:])
    return VALUE


def _following(words: Sequence[str]) -> str:
    return words[0] if words and not words[0].startswith("--") else VALUE


def _written(key: str, value: str) -> str:
    return shlex.quote(f"--config.{key}={value}")
