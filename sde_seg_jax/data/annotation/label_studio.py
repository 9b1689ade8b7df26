"""Label Studio (labelstud.io): frames to label written for it, its finished labels read back.

Read are its exports "JSON" and "JSON-MIN". "Brush labels to PNG" has no names of images, only numbers of tasks, and
not the order of the regions: it is passed over where a JSON export beside it has the same tasks.
"""

from __future__ import annotations

import codecs
import functools
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from sde_seg_jax.data.annotation import label_studio_masks, label_studio_regions
from sde_seg_jax.data.annotation.frames import NamedLabel, OtherSize
from sde_seg_jax.data.annotation.label_studio_keys import key_of
from sde_seg_jax.data.annotation.label_studio_tasks import write
from sde_seg_jax.data.spec import Size
from sde_seg_jax.text_files import decode_text, encoding_of, load_json, read_bytes, too_deep

__all__ = ["find", "read", "references", "write"]

HEAD = 1 << 16  # bytes that show what a JSON file is
LIMIT = 1 << 30  # bytes of an export
START = re.compile(rb"\s*\[\s*(\{|\])")  # a list of objects
MARKS = re.compile(rb'"(annotations|predictions|annotator|annotation_id|original_width|rle|points)"')
INNER = re.compile(r"task (-?\d+) at (\d+)\+(\d+)")  # number, first byte and length of an entry
OPEN, BETWEEN = re.compile(r"([ \t\r\n]*\[)?"), re.compile(r"[ \t\r\n,]*")  # JSON's white space
MALFORMED = (TypeError, AttributeError, KeyError, IndexError)  # of JSON that is valid, but of another form
AGAIN = "export it again from Label Studio as JSON"


def find(path: pathlib.Path) -> bool:
    """Whether a file or folder is an export of Label Studio; only the beginning of a JSON file is looked at.

    Raises:
      ValueError: a zip that can not be read.
    """
    if path.is_dir() or path.suffix.lower() == ".zip":
        return bool(label_studio_masks.tasks(path))
    if path.suffix.lower() != ".json":
        return False
    with open(path, "rb") as file:
        head = file.read(HEAD)
    head = head.decode(encoding_of(head), "ignore").encode()
    return bool(START.match(head) and MARKS.search(head))


def references(path: pathlib.Path) -> dict[str, str]:
    """Key of each labeled frame -> reference for `read`; no pixels are read.

    The newest annotation counts that was not cancelled. Predictions are no labels; a task without regions has none. The
    key is that which `write` gave the task, else the path of its image.

    Raises:
      ValueError: the file is broken or no export, a region is no brush and no polygon or has no class, or two labeled
        tasks are of one frame; naming the file and the task.
    """
    if path.suffix.lower() != ".json":
        label_studio_masks.check(path, _numbers)
        return {}
    newest: dict[int, tuple[str, str | None, str]] = {}
    for entry, start, length in _entries(path):
        number = _number(path, entry)
        try:
            changed = label_studio_regions.changed(entry)  # JSON-MIN has a row for each annotation
            key = key_of(entry.get("data", entry)) if _regions(entry) else None
        except (ValueError, *MALFORMED) as error:
            raise _error(path, number, error) from error
        if number not in newest or changed >= newest[number][0]:
            newest[number] = changed, key, f"{path}!task {number} at {start}+{length}"
    found: dict[str, str] = {}
    owners: dict[str, int] = {}
    for number, (_, key, reference) in newest.items():
        if key is None:
            continue
        if key in found:
            raise ValueError(
                f"'{path}' has two labels of '{key}', in task {owners[key]} and task {number}; delete one of them in "
                f"Label Studio, and export again"
            )
        found[key], owners[key] = reference, number
    return found


def read(reference: str, size: Size | None = None) -> NamedLabel:
    """The label of a reference; only its entry of the file is read.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: the file has changed, a region is broken, or its regions are of images of several sizes.
    """
    name, _, inner = reference.rpartition("!")
    path, place = pathlib.Path(name), INNER.fullmatch(inner)
    if place is None:
        raise ValueError(
            f"'{reference}' is no label of Label Studio; expected '<file>!task <number> at <byte>+<bytes>'"
        )
    number, start, length = map(int, place.groups())
    try:
        entry = load_json(_piece(path, start, length).decode())
        changed = not isinstance(entry, dict) or entry.get("id") != number
    except ValueError:
        changed = True
    if changed:
        raise ValueError(f"'{path}' has changed since it was listed; prepare again")
    try:
        return label_studio_regions.paint(_regions(entry), size)
    except OtherSize:
        raise
    except (ValueError, *MALFORMED) as error:
        raise _error(path, number, error) from error


def _regions(entry: dict[str, Any]) -> list[label_studio_regions.Region]:
    return (label_studio_regions.of_task if "annotations" in entry else label_studio_regions.of_row)(entry)


def _error(path: pathlib.Path, number: int, error: Exception) -> ValueError:
    said = str(error) if isinstance(error, ValueError) else f"it is malformed ({error!r}); {AGAIN}"
    return ValueError(f"'{path}', task {number}: {said}")


def _numbers(path: pathlib.Path) -> set[int]:
    """The numbers of the tasks with labels; none in a JSON file of another kind."""
    if not find(path):
        return set()
    return {int(INNER.search(reference).group(1)) for reference in references(path).values()}


def _number(path: pathlib.Path, entry: Any) -> int:
    """The number of an entry's task, which is checked to be one of an export."""
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), int) or isinstance(entry["id"], bool):
        raise ValueError(f"'{path}' has tasks without numbers, so it is no export; {AGAIN}, and put that in its place")
    if "data" in entry and not isinstance(entry.get("annotations"), list):
        raise ValueError(f"'{path}', task {entry['id']}: it has no list of annotations; {AGAIN}")
    return entry["id"]


def _entries(path: pathlib.Path) -> Iterator[tuple[Any, int, int]]:
    """(entry, its first byte, length in bytes) of a file, one after the other; bytes count in UTF-8 without mark.

    Raises:
      ValueError: it is no list in JSON.
    """
    try:
        text, decoder = decode_text(read_bytes(path, LIMIT)), json.JSONDecoder()
        at = byte = OPEN.match(text).end()
        while True:
            begin = BETWEEN.match(text, at).end()
            byte += begin - at
            if text[begin : begin + 1] == "]" and not text[begin + 1 :].strip():
                return
            entry, at = decoder.raw_decode(text, begin)
            length = len(text[begin:at].encode())
            yield entry, byte, length
            byte += length
    except (ValueError, RecursionError) as error:
        said = too_deep() if isinstance(error, RecursionError) else error
        raise ValueError(f"cannot read '{path}' ({said}); {AGAIN}") from error


def _piece(path: pathlib.Path, start: int, length: int) -> bytes:
    """Bytes of the file in UTF-8 without mark, which most files are in already."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
        name = encoding_of(head)
        if name == "utf-8-sig":
            file.seek(start + len(codecs.BOM_UTF8) * head.startswith(codecs.BOM_UTF8))
            return file.read(length)
    return _recoded(path, os.stat(path).st_mtime_ns)[start : start + length]


@functools.lru_cache(maxsize=1)
def _recoded(path: pathlib.Path, changed: int) -> bytes:
    """The file in UTF-8; `changed`: when it was, as it is read again then."""
    del changed
    return decode_text(read_bytes(path, LIMIT)).encode()
