"""Numbers of the method's sections and of differences never stand alone in source: the page is named beside them."""

import ast
import io
import pathlib
import re
import tokenize

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = {
    r"\bMETHOD\b(?! =)": "docs/reference/method.md",
    r"\bQ\d{1,2}\b|\bdecision \d\b": "docs/record/differences.md",
}
NAMES = re.compile(r"\b(Q\d{1,2}|decision \d|METHOD \d)\b")
SOURCES = sorted((ROOT / "sde_seg_jax").rglob("*.py"))


def remarks(source):
    """Docstrings, and comments, lines of which that follow each other count as one."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    last, lines = -1, []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield " ".join(lines)
                lines = []
            last = token.start[0]
            lines.append(token.string)
    yield " ".join(lines)


def bare(source):
    return [
        text for text in remarks(source) for name, page in PAGES.items() if re.search(name, text) and page not in text
    ]


def anchors(page):
    return set(re.findall(r'<a id="([^"]+)"></a>', (ROOT / page).read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_number_stands_beside_its_page(path):
    assert bare(path.read_text(encoding="utf-8")) == []


def test_a_bare_number_is_noticed():
    assert bare('"""Share of confident pixels (Q18)."""') == ["Share of confident pixels (Q18)."]
    assert bare("x = 1  # as in METHOD 3\n") == ["# as in METHOD 3"]
    assert bare('"""Share of confident pixels (Q18 in docs/record/differences.md)."""') == []


def test_every_name_in_the_sources_is_on_its_page():
    known = anchors("docs/reference/method.md") | anchors("docs/record/differences.md")
    texts = [text for path in (ROOT / "sde_seg_jax").rglob("*.py") for text in remarks(path.read_text("utf-8"))]
    named = {name.lower().replace(" ", "-") for text in texts for name in NAMES.findall(text)}
    assert len(named) > 20
    assert named <= known


def test_every_number_has_published_ours_and_why():
    text = (ROOT / "docs/record/differences.md").read_text(encoding="utf-8")
    entries = re.split(r'^#{3,4} <a id="', text, flags=re.MULTILINE)[1:]
    numbers = {f"q{n}" for n in range(1, 40) if n != 29} | {f"decision-{n}" for n in range(1, 9)}
    assert numbers <= {entry.partition('"')[0] for entry in entries}  # Q29 concerns only how recordings were made
    for entry in entries:
        assert all(f"- **{line}**: " in entry for line in ("Published", "Ours", "Why")), entry.partition('"')[0]
