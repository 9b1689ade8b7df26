"""A table of results as one page with plots of all seeds."""

from __future__ import annotations

import pathlib

from sde_seg_jax.display import gains as gain_tables
from sde_seg_jax.display.page import Facts, Figure, Section, Table, Text, write_page
from sde_seg_jax.display.result_plot import Points, plot, plot_gains
from sde_seg_jax.display.result_table import METRICS, ResultTable, columns, gains, lines, notes


def write_html(table: ResultTable, path: pathlib.Path) -> pathlib.Path:
    """Writes the table with a plot of all seeds as one self-contained page; returns its path."""
    figure = Figure(
        plot({f"{labels} labels": _points(table, labels) for labels in table.labels}),
        "Points: seeds; bars: their mean; diamonds: the paper. Percent.",
        f"Final {METRICS.get(table.metric, table.metric)} of every seed, by row: {', '.join(table.rows)}",
    )
    sections = [Section(f"{labels} labels", _of_labels(table, labels)) for labels in table.labels]
    about = Section("About this table", [Text("\n\n".join(notes(table))), Facts(table.facts)])
    intro = f"{len(table.rows)} rows at {len(table.labels)} label counts; finished runs: {_finished(table)}."
    return write_page(path, title=table.title, intro=intro, sections=[*sections, Section("Seeds", [figure]), about])


def _of_labels(table: ResultTable, labels: int) -> list[Table | Figure]:
    parts: list[Table | Figure] = [Table(lines(table, labels), columns(table))]
    if found := gains(table, labels):
        shown = gain_tables.lines(found)
        parts.append(Table(shown, gain_tables.COLUMNS))
        said = "; ".join(f"{line['row']} against {line['partner']}: {line['verdict']}" for line in shown)
        parts.append(Figure(plot_gains(found), "Points: seeds; bars: mean and 95 % interval of the differences.", said))
    return parts


def _finished(table: ResultTable) -> str:
    return f"{sum(result.final is not None for result in table.results)} of {len(table.results)}"


def _points(table: ResultTable, labels: int) -> dict[str, Points]:
    return {
        row: Points(
            [100.0 * result.final for result in table.seeds(row, labels) if result.final is not None],
            _quoted(table.paper.get((row, labels), "")),
        )
        for row in table.rows
    }


def _quoted(text: str) -> float | None:
    """The number at the head of a quotation such as "63.16 ± 0.89"."""
    try:
        return float(text.split()[0])
    except (IndexError, ValueError):
        return None
