"""What long work tells while it goes on: lines and progress bars, through an object that is handed in.

The command line hands in `Console`, a test or a program of yours its own: `tell` and `bar` are all there is.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import tqdm


class Reporter:
    """Says nothing, and is the base of those that do."""

    def tell(self, line: str) -> None:
        """One line for people."""

    def warn(self, line: str) -> None:
        """One line about what went wrong, while the work goes on."""

    def bar(self, items: Any = None, **options: Any) -> tqdm.tqdm:
        """A progress bar over `items`, or one that `update` moves; `options` are tqdm's: total, desc, unit, initial."""
        return tqdm.tqdm(items, **options, disable=True)


class Console(Reporter):
    """Prints lines, and draws bars on standard error; in a notebook both stand below the cell."""

    _silent = False

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """While this lasts nothing is told: of several processes one tells."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def tell(self, line: str) -> None:
        """Prints the line at once."""
        if not self._silent:
            print(line, flush=True)

    def warn(self, line: str) -> None:
        """Prints the line on standard error."""
        if not self._silent:
            print(line, file=sys.stderr, flush=True)

    def bar(self, items: Any = None, **options: Any) -> tqdm.tqdm:
        """Draws at most twice a second."""
        return tqdm.tqdm(items, **{"mininterval": 0.5, **options}, disable=self._silent)


class Collected(Reporter):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, line: str) -> None:
        """Appends the line."""
        self.lines.append(line)

    warn = tell


SILENT, CONSOLE = Reporter(), Console()
