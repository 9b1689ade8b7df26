"""The site is built without network and strictly, and loads nothing from elsewhere."""

import importlib.util
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("build_site", ROOT / "docs" / "tools" / "build_site.py")
build_site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build_site)
LOADED = re.compile(r"""<script[^>]*\ssrc=["']https?:|<link[^>]*\shref=["']https?:|<img[^>]*\ssrc=["']https?:""")


def test_a_page_of_the_contents_that_is_gone_is_named():
    with pytest.raises(ValueError, match=r"CHANGELOG\.md is not there"):
        build_site.contents(["docs/guide/quickstart"])


def test_pages_that_nobody_named_come_last():
    named = [page for pages in build_site.PARTS.values() for page in pages]
    found = build_site.contents([*named, "docs/new_page"])
    assert found.index("caption: More") < found.index("docs/new_page")


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
    assert build_site.build(tmp_path / "site") != 0
