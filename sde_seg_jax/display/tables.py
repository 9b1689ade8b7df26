"""Tables as Markdown and HTML from rows of plain values. A missing value reads "not run", never blank."""

from __future__ import annotations

import dataclasses
import html
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

NOT_RUN = "not run"
UNDEFINED = "undefined"  # NaN: it ran, but there is no such number (a class without pixels, a diverged loss)


@dataclasses.dataclass(frozen=True)
class Spread:
    """Mean over n runs and their sample standard deviation (ddof=1); `std` is None for n = 1."""

    mean: float
    std: float | None
    n: int


@dataclasses.dataclass(frozen=True)
class Chip:
    """A text with a colour in front of it; in Markdown only the text."""

    color: tuple[int, int, int]
    text: str


def over_seeds(values: Iterable[float | None]) -> Spread | None:
    """Returns mean and sample std of the values that were measured; None where none was.

    A NaN among them makes the mean and the std NaN: a failed seed must not vanish from an average.
    """
    known = [float(value) for value in values if value is not None]
    if not known:
        return None
    if not all(math.isfinite(value) for value in known):
        return Spread(math.nan, math.nan if len(known) > 1 else None, len(known))
    return Spread(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None, len(known))


def number(value: Any, digits: int = 3, scale: float = 1.0, sign: bool = False) -> str:
    """Formats a float or a `Spread`: `0.115`, `0.115 ± 0.004 (n=3)`; None is "not run", NaN "undefined"."""
    if value is None:
        return NOT_RUN
    if isinstance(value, Spread):
        mean = number(value.mean, digits, scale, sign)
        std = "" if value.std is None or mean == UNDEFINED else f" ± {value.std * scale:.{digits}f}"
        return f"{mean}{std} (n={value.n})"
    value = float(value)
    if math.isnan(value):
        return UNDEFINED
    return f"{value * scale:{'+' if sign else ''}.{digits}f}"


def percent(value: Any, digits: int = 1) -> str:
    """A fraction in [0,1] in percent without its sign, as papers print mIoU: `0.6209 -> 62.1`."""
    return number(value, digits, scale=100.0)


def points(value: Any, digits: int = 1) -> str:
    """A difference of two fractions in signed percentage points: `0.031 -> +3.1`."""
    return number(value, digits, scale=100.0, sign=True)


def integer(value: Any) -> str:
    """A count, thousands separated: `40000 -> 40,000`."""
    return NOT_RUN if value is None else f"{int(value):,}"


def duration(seconds: float | None) -> str:
    """Seconds for people: `42 s`, `7 min`, `1 h 42 min`, `2 d 3 h`."""
    if seconds is None:
        return NOT_RUN
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def plain(value: Any) -> str:
    """Text as it is; numbers in `number`'s three digits, whole numbers as integers; empty text is a dash."""
    if isinstance(value, (Spread, float)):
        return number(value)
    if value is None:
        return NOT_RUN
    return str(value) if str(value).strip() else "–"


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: the rows' key, its heading, how values are printed, and which value is bold as best."""

    key: str
    title: str
    format: Callable[[Any], str] = plain
    best: Literal["max", "min"] | None = None

    def text(self, value: Any) -> str:
        """The printed cell. Text in a numeric column (such as "absent") passes unchanged."""
        return plain(value) if isinstance(value, str) else self.format(value)


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Plain columns for all keys of the rows, in order of appearance."""
    return [Column(key, key.replace("_", " ")) for key in dict.fromkeys(key for row in rows for key in row)]


def _magnitude(value: Any) -> float | None:
    value = value.mean if isinstance(value, Spread) else value
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if numeric else None


def _best(rows: Sequence[Mapping[str, Any]], column: Column) -> str | None:
    """The printed form of the best value, so that ties in print are all marked; None below two values."""
    values = [row.get(column.key) for row in rows]
    known = [value for value in values if _magnitude(value) is not None]
    if column.best is None or len(known) < 2:
        return None
    return column.text((max if column.best == "max" else min)(known, key=_magnitude))


def markdown_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column] | None = None) -> str:
    """Returns a GitHub-style table; the best values are bold. Pipes and line breaks in cells are escaped."""
    columns = columns or columns_of(rows)
    best = {column.key: _best(rows, column) for column in columns}

    def cell(column: Column, value: Any) -> str:
        if isinstance(value, Chip):
            value = value.text
        text = column.text(value).replace("|", "\\|").replace("\n", " ")
        return f"**{text}**" if best[column.key] == text and _magnitude(value) is not None else text

    titles = [column.title.replace("|", "\\|") for column in columns]
    rules = ["---" if column.format is plain else "---:" for column in columns]
    body = [[cell(column, row.get(column.key)) for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [titles, rules, *body]) + "\n"


def text_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column] | None = None) -> str:
    """Returns the same for a terminal: columns aligned, numbers to the right, nothing marked."""
    columns = columns or columns_of(rows)
    body = [[column.text(row.get(column.key)).replace("\n", " ") for column in columns] for row in rows]
    lines = [[column.title for column in columns], *body]
    widths = [max(map(len, texts)) for texts in zip(*lines, strict=True)]

    def aligned(column: Column, text: str, width: int) -> str:
        return text.ljust(width) if column.format is plain else text.rjust(width)

    return "".join("  ".join(map(aligned, columns, line, widths)).rstrip() + "\n" for line in lines)


def html_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column] | None = None) -> str:
    """Returns a `<table>`, everything escaped; numeric columns have class `n`, the best values are bold."""
    columns = columns or columns_of(rows)
    best = {column.key: _best(rows, column) for column in columns}

    def cell(column: Column, value: Any) -> str:
        if isinstance(value, Chip):
            red, green, blue = value.color
            chip = f'<span class="chip" style="background:rgb({red},{green},{blue})"></span>'
            return f"<td>{chip}{html.escape(value.text)}</td>"
        text = column.text(value)
        names = [] if column.format is plain else ["n"]
        if text in (NOT_RUN, UNDEFINED):
            names.append("missing")
        if best[column.key] == text and _magnitude(value) is not None:
            names.append("best")
        attribute = f' class="{" ".join(names)}"' if names else ""
        return f"<td{attribute}>{html.escape(text)}</td>"

    def heading(column: Column) -> str:
        attribute = "" if column.format is plain else ' class="n"'
        return f"<th{attribute}>{html.escape(column.title)}</th>"

    head = "".join(map(heading, columns))
    body = "".join(
        "<tr>" + "".join(cell(column, row.get(column.key)) for column in columns) + "</tr>\n" for row in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
