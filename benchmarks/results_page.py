"""docs/record/results.md from docs/results/*.json: python benchmarks/results_page.py (benchmarks/evidence.py calls it)

What stands between `<!-- results NAME -->` and `<!-- end -->` on the page is written from docs/results/NAME.json, the
table.json that cli.table left, and its figure into docs/images/results_NAME.png. The rest of the page is prose.
docs/images/when_it_gains.png, the figure of the README, is drawn from few_labels.json and label_counts.json.
"""

from __future__ import annotations

import json
import pathlib
import re
import textwrap

from sde_seg_jax.display import gains as gain_tables
from sde_seg_jax.display import tables
from sde_seg_jax.display.gain_curves import Series, plot_curves
from sde_seg_jax.display.result_json import from_json
from sde_seg_jax.display.result_plot import plot_gains
from sde_seg_jax.display.result_table import ResultTable, columns, gains, lines, notes

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE, FOLDER, IMAGES = ROOT / "docs" / "record" / "results.md", ROOT / "docs" / "results", ROOT / "docs" / "images"
GAINS = "when_it_gains.png"
SHOWN = {"baseline": "labels alone", "classmix": "with mixing and pseudo labels"}  # row -> its name in the figure
STEPS, COUNTS = "training steps, 16 labels (val)", "labels, of 480 images (test)"  # the panels
WIDTH = 108  # characters of a line
BLOCK = re.compile(r"<!-- results (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def read(name: str) -> ResultTable:
    """The table of docs/results/NAME.json."""
    return from_json(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def block(name: str, table: ResultTable) -> str:
    """What the page says between the marks of a table."""
    parts = []
    for labels in table.labels:
        if len(table.labels) > 1:
            parts.append(f"**{labels} labels**\n")
        parts.append(tables.markdown_table(lines(table, labels), columns(table)))
        if found := gains(table, labels):
            parts.append(tables.markdown_table(gain_tables.lines(found), gain_tables.COLUMNS))
            parts.append(f"![Differences of every seed](../images/{picture(name, labels).name})\n")
    facts = [_fact(key, tables.plain(value)) for key, value in table.facts.items()]
    parts.append("\n".join(_point(line) for line in [*notes(table), *facts]) + "\n")
    return "\n".join(parts)


def _fact(key: str, value: str) -> str:
    return f"{key}: `{value}`" if key == "command" else f"{key}: {value}"


def _point(line: str) -> str:
    """A point of a list, in lines as short as the page's."""
    return textwrap.fill(f"- {line}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def picture(name: str, labels: int) -> pathlib.Path:
    """Where the figure of a table at a label count is."""
    return IMAGES / f"results_{name}_{labels}.png"


def when_it_gains() -> dict[str, Series]:
    """The figure's panels: scores by training steps and by the number of labels, of the files that are there."""
    panels: dict[str, Series] = {STEPS: {}, COUNTS: {}}
    for name in ("few_labels", "label_counts"):
        if not (FOLDER / f"{name}.json").is_file():
            continue
        found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        for curve in found["trained"] if name == "few_labels" else ():
            for step, score in curve["validations"].items():
                _add(panels[STEPS], curve["row"], int(step), score)
        for run in found["runs"] if name == "label_counts" else ():
            _add(panels[COUNTS], run["row"], run["labels"], run["final"])
    return {panel: series for panel, series in panels.items() if series}


def _add(series: dict[str, dict[int, list[float]]], row: str, place: int, score: float | None) -> None:
    if row in SHOWN and score is not None:
        series.setdefault(SHOWN[row], {}).setdefault(place, []).append(score)


def page(text: str) -> str:
    """The page with all its blocks written anew. Raises FileNotFoundError for one without a JSON file."""
    return BLOCK.sub(lambda m: f"<!-- results {m[1]} -->\n{block(m[1], read(m[1]))}<!-- end -->\n", text)


def write() -> None:
    """Writes the page and its figures."""
    text = PAGE.read_text(encoding="utf-8")
    for name, _ in BLOCK.findall(text):
        table = read(name)
        for labels in table.labels:
            if found := gains(table, labels):
                picture(name, labels).write_bytes(plot_gains(found))
    if panels := when_it_gains():
        (IMAGES / GAINS).write_bytes(plot_curves(panels, "mIoU [%]"))
    PAGE.write_text(page(text), encoding="utf-8")


if __name__ == "__main__":
    write()
    print(f"written: {PAGE}")
