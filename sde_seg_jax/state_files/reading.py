"""The one reader of JSON state: a file, its schema and the remedy in; a value that fits, or one line, out.

Schemas are JSON Schema, checked by fastjsonschema: it needs no other package, compiles a schema once, and leaves plain
dictionaries and lists as they are (msgspec and pydantic would make objects of them; jsonschema needs four packages and
is a hundred times slower on the names of a large data set).
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

DEEPEST = 48  # levels of objects and lists; what we write has eight
LARGEST = 2**53  # of whole numbers: what is counted fits, and every JSON library reads it exactly
SHOWN = 60  # characters of a value in a message
DRAFT = "http://json-schema.org/draft-04/schema"  # the last in which 2.0 is no integer: nothing here counts to 2.0
AGAIN = "delete it, or its folder to begin again"

Schema = Mapping[str, Any]


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _nothing(name: str) -> None:
    return None


class DamagedFile(ValueError):
    """A file that does not hold what it should; the message names it, the place in it, and the remedy."""

    def __init__(self, where: str | os.PathLike, reason: str, remedy: str):
        self.reason = " ".join(reason.split())[:300]
        super().__init__(f"{os.fspath(where)} is damaged ({self.reason}): {remedy}")


@contextlib.contextmanager
def named(path: str | os.PathLike, remedy: str = AGAIN) -> Iterator[None]:
    """Whatever reading a damaged file raises in this block becomes DamagedFile; of a missing one it stays OSError."""
    try:
        yield
    except DamagedFile:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise DamagedFile(path, str(error), remedy) from error
    except Exception as error:  # NumPy, zipfile, csv and Pillow have dozens of errors between them
        raise DamagedFile(path, str(error) or type(error).__name__, remedy) from error


def read_json(path: str | os.PathLike, schema: Schema, remedy: str = AGAIN) -> Any:
    """The value in a JSON file of UTF-8 (UTF-16 and a BOM are read, too). Raises DamagedFile, OSError."""
    return parse(pathlib.Path(path).read_bytes(), path, schema, remedy)


def read_lines(path: str | os.PathLike, schema: Schema, remedy: str = AGAIN) -> list[Any]:
    """The values of a file with one a line; a last line that was cut off while being written is left out.

    NaN and Infinity, which are no JSON but stand in files of others, are read as null.

    Raises DamagedFile that names the line; OSError.
    """
    lines = pathlib.Path(path).read_bytes().split(b"\n")
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    found = []
    for number, line in numbered:
        if number == len(lines) and not line.rstrip().endswith(b"}"):
            break
        found.append(parse(line, f"line {number} of {os.fspath(path)}", schema, remedy, _nothing))
    return found


def parse(
    content: str | bytes,
    where: str | os.PathLike,
    schema: Schema,
    remedy: str = AGAIN,
    constant: Callable[[str], Any] = _refuse,
) -> Any:
    """The value of a JSON text; `where` names it in messages, `constant` answers for NaN. Raises DamagedFile."""
    try:
        value = json.loads(content, parse_constant=constant, parse_float=_finite, parse_int=_counted)
    except RecursionError:
        raise DamagedFile(where, f"more than {DEEPEST} levels deep", remedy) from None
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte {error.object[error.start]:#04x} at {error.start}"
        raise DamagedFile(where, reason, remedy) from error
    except ValueError as error:  # JSONDecodeError among them
        raise DamagedFile(where, str(error) if len(content) else "it is empty", remedy) from error
    return checked(value, where, schema, remedy)


def checked(value: Any, where: str | os.PathLike, schema: Schema, remedy: str = AGAIN) -> Any:
    """The value itself, if it fits the schema and holds nothing that cannot be used. Raises DamagedFile."""
    import fastjsonschema  # only commands that read state need it

    for complaint in _odd(value):
        raise DamagedFile(where, complaint, remedy)
    try:
        _validator(json.dumps(schema))(value)
    except fastjsonschema.JsonSchemaValueException as error:
        place = "".join(_step(part) for part in error.path[1:]).lstrip(".")
        expected = error.message.removeprefix(error.name).strip()
        told = "" if error.rule in ("required", "additionalProperties") else f", is {_short(error.value)}"
        reason = f"{f'at {place}: ' if place else ''}{expected}{told}"
        raise DamagedFile(where, reason, remedy) from error
    return value


def read_array(path: str | os.PathLike, remedy: str) -> Any:
    """The array in a .npy file. Raises DamagedFile, OSError."""
    import numpy as np

    with named(path, remedy), open(path, "rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def map_array(path: str | os.PathLike, remedy: str) -> Any:
    """The same, but the array stays on the disk until it is looked at."""
    import numpy as np

    with named(path, remedy):
        return np.lib.format.open_memmap(path, mode="r")


@functools.cache
def _validator(schema: str) -> Callable[[Any], Any]:
    import fastjsonschema

    return fastjsonschema.compile({"$schema": DRAFT, **json.loads(schema)}, use_default=False)


def _step(part: str) -> str:
    return f"[{part}]" if part.isdecimal() else f".{part}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:SHOWN]} is no number that a computer holds")
    return value


def _counted(text: str) -> int:
    if len(text) > 17 or abs(value := int(text)) > LARGEST:
        raise ValueError(f"{text[:SHOWN]} is larger than any number that is written here")
    return value


ODD = re.compile("[\x00\ud800-\udfff]")  # no path holds the one, no file the others


def _odd(value: Any) -> Iterator[str]:
    """What no schema forbids and yet nothing can use: endless nesting, characters that cannot be written."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, str) and ODD.search(one):
                yield f"{_short(one)} holds a character that is none"
        if not below:
            return
        level = below
    yield f"more than {DEEPEST} levels deep"
