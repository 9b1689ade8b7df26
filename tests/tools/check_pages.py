"""Are the pages easy to read? Short lines, short sentences, no abbreviation before its meaning. Part of `make lint`.

Usage: python tests/tools/check_pages.py [PAGE ...]     all pages without arguments; exit status 1 if one fails.
Pages of PENDING may fail; once one passes it has to leave that list, so the list only shrinks.
"""

import pathlib
import re
import sys
import textwrap
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
PENDING = ROOT / "tests/tools/pages_pending.txt"
LONGEST_LINE, LONGEST_SENTENCE = 110, 29  # characters, words
# names that stand for themselves, and what anyone who installs a Python package has met
KNOWN = set((ROOT / "tests/tools/known_names.txt").read_text(encoding="utf-8").split())
ABBREVIATION = re.compile(r"(?<![\w$-])(?:[A-Z]{2,6}|m?IoU)(?![\w-])")


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, prose) of every paragraph, list item and heading; code, tables and HTML left out."""
    code, first, lines = False, 1, []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        bare = line.strip()
        fence = bare.startswith("```")
        starts = not bare or fence or bare.startswith(("|", "#", "<", "!", "- ", "* ")) or re.match(r"\d+\. ", bare)
        if lines and (starts or code):
            yield first, " ".join(lines)
            lines = []
        code ^= fence
        if bare and not (code or fence or bare.startswith(("|", "<", "!"))):
            first = number if not lines else first
            lines.append(bare)


def plain(prose: str) -> str:
    """Prose as it is read: code is one word, links are their text, no marks of lists, headings and emphasis."""
    prose = re.sub(r"<[^>]+>", "", re.sub(r"`[^`]*`", "code", prose))
    prose = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    return re.sub(r"^(#+|[-*]|\d+\.) |\*", "", prose)


def unexplained(text: str) -> Iterator[tuple[int, str]]:
    """Abbreviations whose first use on a page is neither "XY (meaning" nor "meaning (XY" nor "**XY**" nor a heading."""
    met = set(KNOWN)
    for number, prose in blocks(text):
        words = re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", " ", prose)
        for found in ABBREVIATION.finditer(words):
            before, name, after = words[: found.start()], found.group(), words[found.end() :]
            explained = after.startswith((" (", "** (", "] (")) or before.endswith(("(", "**", "(*"))
            if name not in met and not explained:
                yield number, name
            met.add(name)


def faults(text: str) -> Iterator[str]:
    """What is hard to read in a page's text, as "line: remark"."""
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > LONGEST_LINE and not line.lstrip().startswith("|") and "](" not in line and "://" not in line:
            yield f"{number}: {len(line)} characters, at most {LONGEST_LINE}; break the line"
    for number, prose in blocks(text):
        for sentence in re.split(r"(?<=[.!?])[)\"]? +", plain(prose)):
            if (words := len(re.findall(r"\w[\w.,'/-]*", sentence))) > LONGEST_SENTENCE:
                start = textwrap.shorten(sentence, 50, placeholder="...")
                yield f"{number}: {words} words, at most {LONGEST_SENTENCE}; split {start!r}"
    for number, name in unexplained(text):
        yield f"{number}: {name} is used before its meaning; write its words and then ({name})"


def main(arguments: list[str]) -> int:
    found = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    pages = [pathlib.Path(name).resolve() for name in arguments] or found
    pending = set(PENDING.read_text(encoding="utf-8").split())
    remarks = [f"{name}: not there; take it from {PENDING.name}" for name in pending if not (ROOT / name).exists()]
    for page in pages:
        name = str(page.relative_to(ROOT))
        wrong = [f"{name}:{fault}" for fault in faults(page.read_text(encoding="utf-8"))]
        if name in pending and not arguments:
            wrong = [] if wrong else [f"{name}: reads well now; take it from {PENDING.name}"]
        remarks += wrong
    print("\n".join(remarks) or f"{len(pages)} pages looked at, {len(pending)} still to mend")
    return bool(remarks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
