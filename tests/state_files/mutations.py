"""Seeded ways to damage a file of state: what disks, editors, other programs and people do to one."""

import copy
import json
import random
import re

# values that stand where something else was
NUMBERS = (-1, 0, 2**31, 2**63, 2**64, 10**30, -(10**30), 0.5, 2.0, -0.0, 1e300, -1e300, 1e-320)
STRINGS = ("", "x", "\0", "\ud800", "é" * 40, "a/../b", "x" * 300)
WRONG = (None, True, False, *STRINGS, [], {}, [[]], {"": {}}, {"a.b": 1}, [1, "a", None], *NUMBERS)
# texts of numbers that no JSON library writes by itself
TEXTS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e999", "9" * 400, "9" * 5000, "0x10", "01", "+1", ".5", "1_000")
WHOLE = (b"", b" ", b"\n", b"null", b"[]", b"{}", b"0", b'"x"', b"[null]", b"\0" * 64, b"PK\x03\x04", b"\xff\xfe")


def mutate(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """(the kind of damage, the damaged content) of a file's content."""
    kind = rng.choice(sorted(KINDS))
    try:
        return kind, KINDS[kind](content, rng)
    except UnicodeDecodeError:  # a binary file has no values to change
        return "bits", _flip(content, rng)


def _cut(content, rng):
    return content[: rng.randrange(len(content) + 1)]


def _flip(content, rng):
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _zeros(content, rng):
    start = rng.randrange(len(content) + 1)
    return content[:start] + b"\0" * min(len(content) - start, rng.choice((1, 16, 4096))) + content[start + 4096 :]


def _binary(content, rng):
    return rng.randbytes(rng.choice((1, 40, 4000)))


def _encoding(content, rng):
    text = content.decode("latin-1") + rng.choice(("", "é", "\u2028"))
    return text.encode(rng.choice(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "utf-7")), "replace")


def _deep(content, rng):
    levels = rng.choice((60, 900, 5_000, 200_000))
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    nested = opened * levels + b"1" + closed * levels
    found = [match for match in re.finditer(rb":\s*", content)]
    if not found:
        return nested
    place = rng.choice(found).end()
    return content[:place] + nested + re.sub(rb"^[^,}\n]*", b"", content[place:])


def _text(content, rng):
    """A number of the file becomes one that JSON does not know, or computers do not."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if not found:
        return content
    match = rng.choice(found)
    return content[: match.start()] + rng.choice(TEXTS).encode() + content[match.end() :]


def _lines(content, rng):
    lines = content.splitlines(keepends=True)
    act = rng.randrange(3)
    if act == 0:
        rng.shuffle(lines)
    elif act == 1 and lines:
        del lines[rng.randrange(len(lines))]
    else:
        lines += lines
    return b"".join(lines)


def _whole(content, rng):
    return rng.choice(WHOLE)


def _twice(content, rng):
    return content + rng.choice((content, b"}", b",", b"\0", b"\n{"))


def _value(content, rng):
    """One value becomes another, is taken away, or is given a neighbor; of CSV: a cell."""
    text, line = content.decode(), None
    try:
        value = json.loads(text)
    except ValueError:
        lines = text.splitlines()
        number = rng.randrange(len(lines))
        try:
            value, line = json.loads(lines[number]), number
        except ValueError:
            return _cell(lines, number, rng)
    changed = json.dumps(_changed(value, rng))
    if line is None:
        return changed.encode()
    return "\n".join([*lines[:line], changed, *lines[line + 1 :], ""]).encode()


def _cell(lines, number, rng):
    cells = lines[number].split(",")
    wrong = rng.choice((*WRONG, "nan", "inf", "9" * 5000, '"', "x" * 200_000))
    cells[rng.randrange(len(cells))] = str(wrong)
    if rng.random() < 0.2:
        cells.append("more")
    return "\n".join([*lines[:number], ",".join(cells), *lines[number + 1 :], ""]).encode("utf-8", "surrogatepass")


def _changed(value, rng):
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places:
        return rng.choice(WRONG)
    holder, key = rng.choice(places)
    act = rng.random()
    if act < 0.6:
        holder[key] = rng.choice(WRONG)
    elif act < 0.75:
        del holder[key]
    elif act < 0.85 and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder["more"] = rng.choice(WRONG)
    return value


def _places(value):
    """Every place of a JSON value, each object's and each list's first ones, so that long lists do not take all."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, below in items:
        yield value, key
        yield from _places(below)


KINDS = {
    "cut": _cut,
    "bits": _flip,
    "zeros": _zeros,
    "binary": _binary,
    "encoding": _encoding,
    "deep": _deep,
    "number": _text,
    "lines": _lines,
    "whole": _whole,
    "twice": _twice,
    "value": _value,
    "value again": _value,  # the richest kind, so it comes twice
}
