"""The site is built without network and strictly, and loads nothing from elsewhere."""

import importlib.util
import pathlib
import re
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("build_site", ROOT / "docs" / "tools" / "build_site.py")
build_site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build_site)
draw_diagrams = build_site.draw_diagrams
LOADED = re.compile(r"""<script[^>]*\ssrc=["']https?:|<link[^>]*\shref=["']https?:|<img[^>]*\ssrc=["']https?:""")


def test_a_page_of_the_contents_that_is_gone_is_named():
    with pytest.raises(ValueError, match=r"docs/backbones\.md is not there"):
        build_site.contents(["docs/guide/quickstart"])


def test_pages_that_nobody_named_come_last():
    named = [page for pages in build_site.PARTS.values() for page in pages]
    found = build_site.contents([*named, "docs/new_page", "docs/guide/new_page"])
    assert found.index("caption: More") < found.index("docs/new_page")
    assert found.index("troubleshooting") < found.index("docs/guide/new_page") < found.index("caption: In detail")


def test_every_drawing_of_the_pages_is_drawn_as_it_is_now():
    pages = [page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/**/*.md"))]
    drawn = [diagram for page in pages for diagram in draw_diagrams.diagrams(page)]
    assert len(drawn) >= 3
    assert [d.title for d in drawn if not d.file.read_text(encoding="utf-8").startswith(d.mark)] == []
    assert {d.file for d in drawn} == set(draw_diagrams.FOLDER.iterdir())
    for diagram in drawn:
        picture = xml.etree.ElementTree.parse(diagram.file)
        shown = "".join("".join(picture.getroot().itertext()).split())
        for label in re.findall(r'\["([^"]+)"\]', diagram.text):
            assert "".join(label.split()) in shown


def test_a_drawing_that_has_changed_is_named():
    page = "# A\n\n## Layers\n\n```mermaid\nflowchart TD\n  new --> old\n```\n"
    with pytest.raises(ValueError, match=r"layers\.svg is not of the drawing as it is now"):
        draw_diagrams.with_pictures(page, "images")


# two builds, about 10 s of one core together
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Sphinx and its theme; its own warnings about pages end the build
def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path):
    assert build_site.build(tmp_path) == 0
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 20
    assert [page.name for page in pages if LOADED.search(page.read_text(encoding="utf-8"))] == []
    assert not [sheet for sheet in tmp_path.rglob("*.css") if re.search(r"url\(.?https?:|@import", sheet.read_text())]
    assert (tmp_path / "searchindex.js").is_file()
    assert "images/the_way_of_a_key.svg" in (tmp_path / "docs" / "reference" / "architecture.html").read_text("utf-8")
    changes = (tmp_path / "docs" / "record" / "changelog.html").read_text(encoding="utf-8")
    assert 'id="numbers-changed"' in changes
    assert "results.html#few-labels-what-mixing-gains" in changes
    assert 'href="docs/record/changelog.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'id="q18"' in (tmp_path / "docs" / "record" / "differences.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_broken_link_ends_the_build(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text("# Title\n\n[nowhere](gone.md)\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "site").symlink_to(ROOT / "docs" / "site")
    monkeypatch.setattr(build_site, "ROOT", tmp_path)
    monkeypatch.setattr(build_site, "COPIED", ("README.md",))
    monkeypatch.setattr(build_site, "OTHERS", ())
    monkeypatch.setattr(build_site, "PARTS", {})
    monkeypatch.setattr(build_site, "MOVED", ())
    assert build_site.build(tmp_path / "site") != 0
