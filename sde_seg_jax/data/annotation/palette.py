"""A person's own classes: `classes.json`, and label PNGs of class ids or of class colors."""

from __future__ import annotations

import colorsys
import dataclasses
import json
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.annotation.pictures import is_smeared, read_raw
from sde_seg_jax.data.raw_files import colors
from sde_seg_jax.data.spec import Size
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.text_files import nfc, read_json
from sde_seg_jax.types import IGNORE

FORM = 'expected [{"name": "road", "color": [128, 64, 128], "id": 7}, ...] or {"road": [128, 64, 128], ...}'
KEYS = {"name", "color", "id", "ignore", "blends"}
LIMIT = 1 << 20  # bytes of `classes.json`
IDS = 256  # of an 8-bit label
SHOWN = 8  # classes that an example lists
GOLDEN = 0.618034  # hues that many steps apart stay apart


@dataclasses.dataclass(frozen=True)
class Classes:
    """What `classes.json` says.

    Attributes:
      path: of the file, for messages.
      space: the classes to learn, in the file's order.
      table: training id (or IGNORE) of each raw id; -1: no such id.
      colors: training id (or IGNORE) by RGB color; only of the entries that give one.
      names: training id (or IGNORE) by name, in NFC.
      blends: whether pixels of mixed colors, at smoothed edges, are ignored: an entry to ignore says "blends": true.
    """

    path: str
    space: LabelSpace
    table: tuple[int, ...]
    colors: dict[colors.Color, int]
    names: dict[str, int]
    blends: bool = False


def read_classes(path: str) -> Classes:
    """Reads `classes.json`.

    Raises:
      ValueError: it has another form, or a name, id or color occurs twice; naming the file and the entry.
    """
    try:
        entries = read_json(path, LIMIT)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read '{path}' ({error}); {FORM}") from error
    if isinstance(entries, dict):
        entries = [{"name": name, "color": color} for name, color in entries.items()]
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"'{path}' lists no classes; {FORM}")
    table, by_color, by_name, named, blends = [-1] * IDS, {}, {}, [], False
    for place, entry in enumerate(entries):
        name, color, number = _entry(entry, place, path)
        if name in by_name or table[number] >= 0 or color in by_color:
            raise ValueError(f"'{path}' gives the name, id or color of {name!r} twice; make them unique")
        table[number] = by_name[name] = IGNORE if entry.get("ignore") else len(named)
        if entry.get("blends") and not entry.get("ignore"):
            raise ValueError(f"'{path}' gives {name!r} the blends, but does not ignore it; add \"ignore\": true")
        blends |= bool(entry.get("blends"))
        if color:
            by_color[color] = table[number]
        if not entry.get("ignore"):
            named.append((name, color or _hue(len(named))))
    if not 0 < len(named) <= IGNORE:
        raise ValueError(f"'{path}' has {len(named)} classes that are not ignored; expected 1 to {IGNORE}")
    space = LabelSpace("folder", tuple(name for name, _ in named), tuple(color for _, color in named))
    return Classes(path, space, tuple(table), by_color, by_name, blends)


def read_label(path: str, classes: Classes, size: Size | None = None) -> np.ndarray:
    """Training ids uint8 [h, w] of an 8-bit picture: of class ids (gray, palette) or of class colors (RGB, RGBA).

    Unknown ids and colors become IGNORE with a warning that names them and the file. Of the colors of a JPEG file the
    nearest ones count, without a word about others.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: the file is unreadable or has another mode, or looks like a photograph.
    """
    found = read_raw(path, size)
    if found.ndim == 3:
        if not classes.colors:
            raise ValueError(f"label '{path}' has colors, but '{classes.path}' gives none; add \"color\" to each class")
        if is_smeared(path):
            return colors.nearest_ids(found, classes.colors)
        return colors.train_ids(found, classes.colors, pathlib.Path(path), blends=classes.blends)
    ids = np.array(classes.table)[found]
    unknown = np.unique(found[ids < 0]).tolist()
    if unknown:
        remedy = _from_one(found, unknown, classes) or f"add them to '{classes.path}'"
        warnings.warn(f"label '{path}' has unknown ids {unknown}: ignored; {remedy}", stacklevel=2)
    return np.where(ids < 0, IGNORE, ids).astype(np.uint8)


def _from_one(found: np.ndarray, unknown: list[int], classes: Classes) -> str:
    """What to do if ids seem to count from 1, while those of the classes count from 0; else ""."""
    count = _count_from_zero(classes)
    if not count or [number for number in unknown if number < IGNORE] != [count]:
        return ""
    nobody = (found == 0).any()
    zero = ', with 0 for nobody: add {"name": "unlabeled", "id": 0, "ignore": true}, and' if nobody else ":"
    other = f"; or, if 0 is {next(iter(classes.names))!r}, add the class of id {count}" if nobody else ""
    return f"labels seem to count from 1{zero} give the entries of '{classes.path}' their \"id\", 1 to {count}{other}"


def first_is_missing(classes: Classes, pixels: Sequence[int]) -> str:
    """What to ask if no label has the class of id 0 and all others occur; "" if nothing is to be asked.

    Then ids may count from 1, so that each class is taken for the next one and the last for none. `pixels` of each
    class, in all labels. Where 0 stands for nobody's pixels, as it often does then, the numbers alone cannot tell.
    """
    count = _count_from_zero(classes)
    if count < 2 or len(pixels) != count or pixels[0] or not all(pixels[1:]) or classes.colors:
        return ""
    first = next(iter(classes.names))
    return (
        f"no label looked at has a pixel of id 0 ({first!r}), all other ids of '{classes.path}' occur: do ids count "
        f'from 1? Then give its entries their "id", 1 to {count}'
    )


def _count_from_zero(classes: Classes) -> int:
    """How many ids classes.json has, if they are 0, 1, 2, ...; else 0."""
    known = [number for number, train_id in enumerate(classes.table) if train_id >= 0]
    return len(known) if known == list(range(len(known))) else 0


def example(path: str) -> str:
    """A `classes.json` in one line that fits the label at `path`."""
    found = read_raw(path)
    if found.ndim == 2:
        ids = np.unique(found).tolist()
        entries = [{"name": f"class {number}", "id": number} for number in ids[:SHOWN]]
    else:
        here = np.unique(found.reshape(-1, 3), axis=0)[:SHOWN].tolist()
        entries = [{"name": f"class {i}", "color": color} for i, color in enumerate(here)]
    return json.dumps(entries)


def _entry(entry: Any, place: int, path: str) -> tuple[str, tuple[int, ...] | None, int]:
    """(name, color or None, raw id) of one entry, checked."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or set(entry) - KEYS:
        raise ValueError(f"'{path}' has the entry {json.dumps(entry)}; {FORM}")
    name, color, number = nfc(entry["name"]), entry.get("color"), entry.get("id", place)
    if not _whole(number, IDS):
        raise ValueError(f"'{path}' gives {name!r} the id {number!r}; expected 0 to {IDS - 1}, as in the label PNGs")
    if color is not None and not (isinstance(color, list) and len(color) == 3 and all(_whole(c, 256) for c in color)):
        raise ValueError(f"'{path}' gives {name!r} the color {color!r}; expected [red, green, blue], each 0 to 255")
    return name, None if color is None else tuple(color), number


def _whole(value: Any, end: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < end


def _hue(place: int) -> tuple[int, int, int]:
    """A color for a class that has none."""
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(place * GOLDEN % 1, 0.65, 0.9))
