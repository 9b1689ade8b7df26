"""Builds the site into build/site: the pages as they are, with a table of contents. Strict: a broken link ends it.

Usage: python docs/tools/build_site.py [FOLDER]     needs requirements-dev.txt, no network
"""

import os
import pathlib
import re
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import draw_diagrams

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPIED = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CITATION.cff", "LICENSE", "docs", "notebooks")
OTHERS = ("CONTRIBUTING", "SECURITY")  # pages beside docs/
CHANGELOG = "docs/record/changelog.md"  # shows CHANGELOG.md on the site
GUIDE = ("quickstart", "your_own_video", "which_frames_to_label", "labels_from_a_game", "published_data_and_tables")
GUIDE += ("weights_and_backbones", "export_and_serving", "several_machines", "troubleshooting")
REFERENCE = ("commands", "configuration", "api", "method", "architecture")
MOVED = ("docs/deviations",)  # reached by old links only, in no table of contents
DETAILS = ("own_data", "selection", "domain_adaptation", "weights", "backbones", "depth_cache", "predict", "export")
DETAILS += ("runs", "machines", "benchmarks")
PARTS = {  # the table of contents; what is not named comes last
    "Guide": [f"docs/guide/{name}" for name in GUIDE],
    "In detail": [f"docs/{name}" for name in DETAILS],
    "Reference": [*(f"docs/reference/{name}" for name in REFERENCE), "docs/data"],
    "Record": ["docs/record/results", "docs/record/performance", "docs/record/differences", "docs/record/changelog"],
}


def _tree(title: str, pages: list[str]) -> str:
    return f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(pages) + "\n```\n"


def contents(pages: list[str]) -> str:
    """The table of contents of all `pages` ("docs/guide/quickstart")."""
    taken = {page for names in PARTS.values() for page in names}
    if missing := taken - set(pages):
        raise ValueError(f"{min(missing)}.md is not there: correct PARTS in {__file__}")
    rest = sorted(set(pages) - taken - set(MOVED))
    guides = [page for page in rest if page.startswith("docs/guide/")]
    parts = {**PARTS, "More": [page for page in rest if page not in guides]}
    return "".join(_tree(part, names + (guides if part == "Guide" else [])) for part, names in parts.items())


def show_changelog(source: pathlib.Path) -> None:
    """CHANGELOG.md becomes the page CHANGELOG, among the other records; links in it and to it follow."""
    page = source / CHANGELOG
    up = os.path.relpath(source, page.parent)
    text = (source / "CHANGELOG.md").read_text(encoding="utf-8")
    page.write_text(re.sub(r"\]\((?!#|\w+:)", f"]({up}/", text), encoding="utf-8")
    (source / "CHANGELOG.md").unlink()
    for other in source.rglob("*.md"):
        text, here = other.read_text(encoding="utf-8"), os.path.relpath(page, other.parent)
        other.write_text(re.sub(r"\]\((?:\.\./)*CHANGELOG\.md", f"]({here}", text), encoding="utf-8")


def build(target: pathlib.Path) -> int:
    """Exit status of Sphinx, 0 if every link holds."""
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, source / name)
        if (source / CHANGELOG).exists():
            show_changelog(source)
        pages = [str(page.relative_to(source).with_suffix("")) for page in source.glob("docs/**/*.md")]
        pages += OTHERS
        readme = (source / "README.md").rename(source / "index.md")
        readme.write_text(readme.read_text(encoding="utf-8") + contents(pages), encoding="utf-8")
        for page in (source / f"{name}.md" for name in MOVED):
            page.write_text(f"---\norphan: true\n---\n{page.read_text(encoding='utf-8')}", encoding="utf-8")
        for page in source.rglob("*.md"):
            pictures = os.path.relpath(source / "docs" / "images" / "diagrams", page.parent)
            text = draw_diagrams.with_pictures(page.read_text(encoding="utf-8"), pictures)
            page.write_text(text.replace("README.md", "index.md"), encoding="utf-8")
        settings = ["-c", str(ROOT / "docs" / "site"), "-d", str(source / ".read")]
        return build_main(["-b", "html", "-W", "--keep-going", "-q", *settings, str(source), str(target)])


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site")
    status = build(where)
    if not status:
        print(f"open {where / 'index.html'}")
    sys.exit(status)
