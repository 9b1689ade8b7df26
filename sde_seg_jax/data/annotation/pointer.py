"""References to labels within an export, "<path>!<inner>"."""

from __future__ import annotations

import pathlib

ESCAPES = {"%": "%25", "!": "%21"}  # "!" ends the path in a reference


def make(path: pathlib.Path, inner: str) -> str:
    """ "<path>!<inner>", where `inner` says which label of the export."""
    for character, escape in ESCAPES.items():
        inner = inner.replace(character, escape)
    return f"{path}!{inner}"


def split(text: str) -> tuple[pathlib.Path, str]:
    """The path and `inner` of a reference."""
    path, _, inner = text.rpartition("!")
    for character, escape in reversed(ESCAPES.items()):
        inner = inner.replace(escape, character)
    return pathlib.Path(path), inner
