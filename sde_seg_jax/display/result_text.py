"""A table of results as text and as Markdown."""

from __future__ import annotations

from sde_seg_jax.display import gains as gain_tables
from sde_seg_jax.display import tables
from sde_seg_jax.display.result_table import ResultTable, columns, gains, lines, notes


def as_text(table: ResultTable) -> str:
    """The table for a terminal."""
    parts = [table.title]
    for labels in table.labels:
        parts += ["", f"{labels} labels", tables.text_table(lines(table, labels), columns(table)).rstrip()]
        if found := gains(table, labels):
            parts += ["", tables.text_table(gain_tables.lines(found), gain_tables.COLUMNS).rstrip()]
    return "\n".join([*parts, "", *notes(table)])


def as_markdown(table: ResultTable) -> str:
    """The table as a Markdown file, with notes and facts."""
    parts = [f"# {table.title}\n"]
    for labels in table.labels:
        parts += [f"## {labels} labels\n", tables.markdown_table(lines(table, labels), columns(table))]
        if found := gains(table, labels):
            parts.append(tables.markdown_table(gain_tables.lines(found), gain_tables.COLUMNS))
    parts.append("\n".join(f"- {line}" for line in notes(table)) + "\n")
    parts.append("\n".join(f"- {key}: {tables.plain(value)}" for key, value in table.facts.items()))
    return "\n".join(parts).rstrip() + "\n"
