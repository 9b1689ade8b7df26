"""Where each value of a configuration comes from: the line of the file that set it last, or the command line."""

from __future__ import annotations

import contextlib
import pathlib
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

import ml_collections
from ml_collections import config_dict

from sde_seg_jax.experiment.config import ConfigFile, UsageError, load_config, plain
from sde_seg_jax.experiment.configuration.files import shipped

COMMAND_LINE, UNKNOWN = "command line", "the configuration"
LIBRARY = str(pathlib.Path(ml_collections.__file__).parent)
WIDE = 60  # columns of key and value, beyond which the place stands on the next line
Places = dict[tuple[int, str], str]  # (node, key) -> place


def origins(file: ConfigFile) -> dict[str, str]:
    """section.key -> "FILE:LINE" that set it, or COMMAND_LINE. Raises UsageError as `ConfigFile.config`."""
    kept: list[config_dict.ConfigDict] = []  # while they live no other node has their id
    with _traced(kept) as places:
        config = load_config(file.path, file.row)
    found = dict(_walk(config, "", places))
    return {**found, **dict.fromkeys(file.overrides_of(), COMMAND_LINE)}


def lines(file: ConfigFile, sections: Sequence[str] = ()) -> Iterator[str]:
    """A configuration for people, "key = value  # place", whole or in part. Raises UsageError for unknown sections."""
    config, places = file.config(), origins(file)
    unknown = [name for name in sections if name not in config]
    if unknown:
        raise UsageError(f"--section={unknown[0]}: the sections are {', '.join(config)}")
    values = {key: value for key, value in _values(config) if not sections or _head(key) in sections}
    texts = {key: f"{key} = {value!r}" for key, value in values.items()}
    wide = max((len(text) for text in texts.values() if len(text) <= WIDE), default=0)
    for key, text in texts.items():
        pad = text.ljust(wide) if len(text) <= wide else f"{text}\n{'':<{wide}}"
        yield f"{pad}  # {places.get(key, UNKNOWN)}"


def _head(key: str) -> str:
    return key.partition(".")[0]


def _values(config: config_dict.ConfigDict, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, config_dict.ConfigDict) and len(value):
            yield from _values(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", tuple(value) if isinstance(value, (list, tuple)) else plain(value)


def _walk(node: config_dict.ConfigDict, above: str, places: Places) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if isinstance(value, config_dict.ConfigDict) and len(value):
            yield from _walk(value, f"{above}{key}.", places)
        else:
            yield f"{above}{key}", places.get((id(node), key), UNKNOWN)


@contextlib.contextmanager
def _traced(kept: list[config_dict.ConfigDict]) -> Iterator[Places]:
    """Notes in the answer which line sets which key of which node while the block runs."""
    places: Places = {}
    plain = config_dict.ConfigDict.__setitem__

    def set_item(self, key, value):
        kept.append(self)
        places[id(self), key] = _place(sys._getframe(1))
        plain(self, key, value)

    config_dict.ConfigDict.__setitem__ = set_item
    try:
        yield places
    finally:
        config_dict.ConfigDict.__setitem__ = plain


def _place(frame: types.FrameType | None) -> str:
    """The innermost line outside of ml_collections; of the package's configurations without their folder."""
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARY):
        frame = frame.f_back
    if frame is None:
        return UNKNOWN
    path = pathlib.Path(frame.f_code.co_filename)
    name = path.relative_to(shipped().parent) if path.is_relative_to(shipped()) else path
    return f"{name}:{frame.f_lineno}"
