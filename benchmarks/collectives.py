"""What devices tell each other in a compiled program: its collectives, counted in the HLO text."""

from __future__ import annotations

import math
import re

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# "%name = type kind(%operand, ...)"; the type is one array's or, with blanks and comments, a tuple's.
_LINE = re.compile(rf"^ *(?:ROOT )?%\S+ = (\([^%]*?\)|\S+) ({'|'.join(KINDS)})(?:-done)?\(", re.MULTILINE)
_ARRAY = re.compile(r"(?:pred|[a-z]+(\d+)\w*)\[([\d,]*)\]")


def collectives(text: str) -> dict[str, tuple[int, int]]:
    """Kind -> (how many, bytes of their results on one device) in the text of compiled HLO.

    One in a loop counts once. Of an asynchronous pair the second counts, whose result is that of the whole.
    """
    found: dict[str, tuple[int, int]] = {}
    for kind, one in each(text):
        count, size = found.get(kind, (0, 0))
        found[kind] = (count + 1, size + one)
    return found


def each(text: str) -> list[tuple[str, int]]:
    """(kind, bytes of its result on one device) of every collective, in the order of the text."""
    return [(kind, _bytes(shape)) for shape, kind in _LINE.findall(text)]


def _bytes(shape: str) -> int:
    """Of an array or a tuple of arrays, as HLO writes their types; a pred takes a byte."""
    sizes = ((int(bits or 8), [int(n) for n in sides.split(",") if n]) for bits, sides in _ARRAY.findall(shape))
    return sum(math.prod(sides) * bits // 8 for bits, sides in sizes)
