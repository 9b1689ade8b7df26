"""Tables in CSV with names of anybody's files: a spreadsheet must not take a cell for a formula and run it.

A text that begins like a formula gets an apostrophe in front, which spreadsheets show as text; reading takes it away
again. Numbers stay as they are.
"""

from __future__ import annotations

import csv
import io
import pathlib
import re
from collections.abc import Iterable, Sequence

from sde_seg_jax.text_files import decode_text, read_bytes

FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # apostrophes before: so that every text comes back as it was
QUOTE = "'"


def write_rows(rows: Iterable[Sequence[str | float | None]]) -> str:
    """The text of a table; None is an empty cell."""
    return "".join(map(_row, rows))


def read_rows(path: pathlib.Path) -> list[list[str]]:
    """The cells of a table as `write_rows` got them, numbers as text; also of one that a spreadsheet saved.

    Raises:
      OSError, ValueError: as those of `text_files`; or it is no CSV.
    """
    try:
        rows = list(csv.reader(io.StringIO(decode_text(read_bytes(path)), newline="")))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return [[cell[1:] if cell.startswith(QUOTE) and FORMULA.match(cell) else cell for cell in row] for row in rows]


def _row(values: Sequence[str | float | None]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(map(_cell, values))  # both are quoted within a cell
    return text.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: str | float | None) -> str | float:
    if isinstance(value, str) and FORMULA.match(value):
        return QUOTE + value
    return "" if value is None else value
