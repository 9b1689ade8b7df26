"""Tables as text that is Markdown, too, and the same numbers as JSON."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any


def text(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """An aligned table under its title; None is shown as "-"."""
    cells = [list(columns), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join([f"\n**{title}**\n", *lines])


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints `text`."""
    print(text(title, columns, rows), flush=True)


def save(path: str | None, found: dict) -> None:
    """Writes JSON if there is a path, and says so."""
    if path:
        pathlib.Path(path).expanduser().write_text(json.dumps(found, indent=2) + "\n")
        print(f"\nwritten: {path}")


def _shown(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
