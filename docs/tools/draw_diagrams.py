"""Draws the mermaid blocks of the pages into docs/images/diagrams/, for the site. GitHub draws them by itself.

Usage: python docs/tools/draw_diagrams.py MERMAID.MIN.JS [BROWSER]     BROWSER: a Chromium, by default "chromium"
MERMAID.MIN.JS is dist/mermaid.min.js of `npm pack mermaid@11.17.2`. Only who changes a drawing needs both; the site
shows the stored files and runs no script for them. tests/test_site.py tells when a drawing has changed since.
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "images" / "diagrams"
BLOCK = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SETTINGS = {  # plain SVG text, which every browser shows within <img>
    "startOnLoad": False,
    "theme": "neutral",
    "htmlLabels": False,
    "flowchart": {"htmlLabels": False, "wrappingWidth": 280},  # pixels; the longest word fits
    "deterministicIds": True,
    "fontFamily": "sans-serif",
}
SHEET = """<!DOCTYPE html><meta charset="utf-8"><body><script src="{script}"></script><script>
mermaid.initialize({settings});
mermaid.render("drawing", {text}).then(r => {{ document.body.innerHTML = r.svg; }});
</script></body>"""


class Diagram(NamedTuple):
    title: str  # of the section that it stands in
    text: str  # mermaid's source
    place: tuple[int, int]  # of the block in the page

    @property
    def file(self) -> pathlib.Path:
        return FOLDER / f"{re.sub(r'[^a-z0-9]+', '_', self.title.lower()).strip('_')}.svg"

    @property
    def mark(self) -> str:
        """What the file of this very text begins with."""
        return f"<!-- drawn from {hashlib.sha256(self.text.encode()).hexdigest()} by docs/tools/draw_diagrams.py -->"


def diagrams(page: str) -> Iterator[Diagram]:
    """The mermaid blocks of a page's text, in order."""
    for found in BLOCK.finditer(page):
        titles = re.findall(r"^#+ (.*)$", page[: found.start()], re.MULTILINE)
        yield Diagram(titles[-1], found.group(1), found.span())


def with_pictures(page: str, folder: str) -> str:
    """The page's text with the file of each diagram, in `folder` seen from the page, in place of its block.

    Raises ValueError for one that is not drawn, or not as it stands now.
    """
    for diagram in reversed([*diagrams(page)]):
        drawn = diagram.file.read_text(encoding="utf-8") if diagram.file.exists() else ""
        if not drawn.startswith(diagram.mark):
            raise ValueError(f"{diagram.file.name} is not of the drawing as it is now: run docs/tools/draw_diagrams.py")
        start, end = diagram.place
        page = f"{page[:start]}![Drawing: {diagram.title}]({folder}/{diagram.file.name})\n{page[end:]}"
    return page


def draw(text: str, script: pathlib.Path, browser: str) -> str:
    """SVG of mermaid source, on white, at its own size. Raises ValueError for source that mermaid does not read."""
    with tempfile.TemporaryDirectory() as folder:
        sheet = pathlib.Path(folder) / "sheet.html"
        values = {"script": script.resolve().as_uri(), "settings": json.dumps(SETTINGS), "text": json.dumps(text)}
        sheet.write_text(SHEET.format(**values), encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
        done = subprocess.run([browser, *flags, sheet.as_uri()], capture_output=True, text=True, check=True)
    found = re.search(r"<svg.*</svg>", done.stdout, re.DOTALL)
    if found is None or "Syntax error" in found.group():
        raise ValueError(f"mermaid does not read:\n{text}")
    svg = re.sub(r"<br>", "<br/>", found.group())
    width, height = (round(float(side)) for side in re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg).groups())
    return svg.replace('width="100%"', f'width="{width}" height="{height}"', 1).replace(
        'style="', 'style="background: white; ', 1
    )


def main(script: str, browser: str = "chromium") -> None:
    FOLDER.mkdir(exist_ok=True)
    for page in sorted(ROOT.glob("docs/**/*.md")):
        for diagram in diagrams(page.read_text(encoding="utf-8")):
            diagram.file.write_text(
                f"{diagram.mark}\n{draw(diagram.text, pathlib.Path(script), browser)}\n", encoding="utf-8"
            )
            print(diagram.file.relative_to(ROOT))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
