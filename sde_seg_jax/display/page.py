"""One self-contained HTML page: text, tables, cards and figures in, a file without links or scripts out."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

from sde_seg_jax.display import tables
from sde_seg_jax.display.sheets import rgb
from sde_seg_jax.display.style import CSS
from sde_seg_jax.state_files.writing import write_text

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$css</style>
</head>
<body>
<main>
<h1>$title</h1>
$body
</main>
</body>
</html>
""")


@dataclasses.dataclass(frozen=True)
class Text:
    """Plain text; an empty line starts a new paragraph."""

    text: str
    style: Literal["", "intro"] = ""

    def html(self) -> str:
        """The paragraphs, escaped."""
        attribute = f' class="{self.style}"' if self.style else ""
        paragraphs = [part for part in self.text.split("\n\n") if part.strip()]
        return "".join(f"<p{attribute}>{html.escape(part.strip())}</p>\n" for part in paragraphs)


@dataclasses.dataclass(frozen=True)
class Items:
    """Sentences as a list."""

    items: Sequence[str]

    def html(self) -> str:
        """The list, escaped."""
        return "<ul>\n" + "".join(f"<li>{html.escape(item)}</li>\n" for item in self.items) + "</ul>\n"


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows for `tables.html_table`, in a box that scrolls sideways on narrow screens."""

    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[tables.Column] | None = None
    caption: str = ""

    def html(self) -> str:
        """The table and its caption."""
        caption = f'<p class="caption">{html.escape(self.caption)}</p>\n' if self.caption else ""
        return f'<div class="scroll">{tables.html_table(self.rows, self.columns)}</div>\n{caption}'


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture: RGB array (uint8, or float in [0,1]) or PNG bytes; `alt` describes it to screen readers."""

    image: np.ndarray | bytes
    caption: str
    alt: str = ""

    def html(self) -> str:
        """The picture as a data URI; the caption stands in for a missing alternative text."""
        alt, caption = html.escape(self.alt or self.caption), html.escape(self.caption)
        source, (width, height) = _data_uri(self.image)
        size = f'width="{width}" height="{height}" style="--width:{width}px"'
        image = f'<div class="picture"><img src="{source}" {size} alt="{alt}"></div>'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>\n"


@dataclasses.dataclass(frozen=True)
class Card:
    """A headline number: what, how much, and whether that is good."""

    title: str
    value: str
    unit: str = ""
    verdict: str = ""
    note: str = ""
    status: Literal["neutral", "good", "bad", "unclear"] = "neutral"


@dataclasses.dataclass(frozen=True)
class Cards:
    """Headline numbers side by side."""

    cards: Sequence[Card]

    def html(self) -> str:
        """The cards; verdicts are words, the colour only repeats them."""
        return '<div class="cards">\n' + "".join(map(_card, self.cards)) + "</div>\n"


@dataclasses.dataclass(frozen=True)
class Facts:
    """Short facts as a list; nested values (a config) are folded away as JSON."""

    facts: Mapping[str, Any]

    def html(self) -> str:
        """A definition list, then one foldable block for each nested value."""
        flat = {key: value for key, value in self.facts.items() if not isinstance(value, Mapping)}
        items = "".join(
            f"<dt>{html.escape(str(key))}</dt><dd>{html.escape(_flat(value))}</dd>\n" for key, value in flat.items()
        )
        folded = "".join(
            f"<details><summary>{html.escape(str(key))}</summary>"
            f"<pre>{html.escape(json.dumps(value, indent=2, default=str))}</pre></details>\n"
            for key, value in self.facts.items()
            if key not in flat
        )
        return (f"<dl>\n{items}</dl>\n" if items else "") + folded


class Part(Protocol):
    """Anything that can stand in a section: the classes above, and those of pages with a part of their own."""

    def html(self) -> str:
        """The part, escaped."""


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading with its parts; an empty title has no heading, `anchor` is what links on the page point to."""

    title: str
    parts: Sequence[Part]
    anchor: str = ""

    def html(self) -> str:
        """Heading and parts in order."""
        anchor = f' id="{html.escape(self.anchor)}"' if self.anchor else ""
        heading = f"<h2{anchor}>{html.escape(self.title)}</h2>\n" if self.title else ""
        return f"<section>\n{heading}{''.join(part.html() for part in self.parts)}</section>\n"


def write_page(
    path: str | pathlib.Path,
    *,
    title: str,
    intro: str,
    sections: Sequence[Section],
    summary: Mapping[str, Any] | None = None,
) -> pathlib.Path:
    """Writes one file without scripts or links, all text escaped, whole or not at all; returns its path.

    Args:
      path: the HTML file; its folder is made.
      intro: one or two sentences under the title.
      sections: what the page shows, in order.
      summary: facts about the run for the end of the page (seeds, versions, hardware, timing); nested values
        such as the config are folded.
    """
    path = pathlib.Path(path)
    parts = [Text(intro, "intro"), *sections]
    if summary:
        parts.append(Section("About this run", [Facts(summary)]))
    body = "".join(part.html() for part in parts)
    write_text(path, PAGE.substitute(title=html.escape(title), css=CSS, body=body))
    return path


def _data_uri(image: np.ndarray | bytes) -> tuple[str, tuple[int, int]]:
    """PNG data URI and (width, height)."""
    if not isinstance(image, bytes):
        buffer = io.BytesIO()
        Image.fromarray(rgb(image)).save(buffer, format="png", optimize=True)
        image = buffer.getvalue()
    if not image.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError(f"figure bytes must be a PNG, got {image[:8]!r}; pass the RGB array instead")
    size = int.from_bytes(image[16:20]), int.from_bytes(image[20:24])  # the header chunk comes first
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii"), size


def _card(card: Card) -> str:
    unit = f' <span class="unit">{html.escape(card.unit)}</span>' if card.unit else ""
    lines = [("title", html.escape(card.title)), ("value", html.escape(card.value) + unit)]
    lines += [(name, html.escape(text)) for name, text in (("verdict", card.verdict), ("note", card.note)) if text]
    inner = "".join(f'<div class="{name}">{text}</div>' for name, text in lines)
    return f'<div class="card {card.status}">{inner}</div>\n'


def _flat(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return tables.plain(value)
