"""Text files that people and their tools wrote, on any system; the one place that decides how their bytes are read.

UTF-8, UTF-16 and UTF-32, with a byte order mark or, where the zeros tell it, without; any line ends. Other encodings
can't be known for sure, so they are refused by name. Errors are without the file's name, which the caller knows.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
import unicodedata
from typing import Any

LIMIT = 64 << 20  # bytes of a list, or of a file of classes or cameras; a million names take about 30 MiB
CHUNK = 1 << 24  # bytes that are read at once
MARKS = (  # those of UTF-32 first: the one of UTF-16 begins it
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")  # have zeros in nearly every text
MARK = "\ufeff"
REMEDY = "save it as UTF-8"


def read_text(path: str | os.PathLike, limit: int = LIMIT) -> str:
    """The text of a file, lines ended by a single line feed.

    Raises:
      OSError: it can't be read.
      ValueError: it has more than `limit` bytes, or is no text in an encoding that can be known.
    """
    return decode_text(read_bytes(path, limit)).replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(path: str | os.PathLike, limit: int = LIMIT) -> bytes:
    """The content of a file; raises a ValueError if it has more than `limit` bytes, before it is read."""
    with open(path, "rb") as file:
        check_bytes(os.fstat(file.fileno()).st_size, limit)
        pieces, size = [], 0
        while piece := file.read(CHUNK):  # a pipe does not say how much is to come
            pieces.append(piece)
            size += len(piece)
            check_bytes(size, limit)
    return b"".join(pieces)


def check_bytes(size: int, limit: int) -> None:
    """Raises a ValueError with both numbers if a file of `size` bytes is too large."""
    if size > limit:
        raise ValueError(f"it has {size:,} bytes, more than the {limit:,} that are read")


def read_lines(path: str | os.PathLike) -> list[str]:
    """The lines of a file without white space and marks at their ends, in Unicode's NFC; empty ones, too.

    Raises:
      OSError, ValueError: as `read_text`.
    """
    return [nfc(line.strip().strip(MARK).strip()) for line in read_text(path).splitlines()]


def read_json(path: str | os.PathLike, limit: int = LIMIT) -> Any:
    """What a JSON file says.

    Raises:
      OSError, ValueError: as `read_text`; it is no JSON, or nested too deep.
    """
    return load_json(read_text(path, limit))


def load_json(text: str) -> Any:
    """What a text in JSON says. Raises a ValueError if it is none, or nested too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(too_deep()) from None


def too_deep() -> str:
    """What is said of JSON that Python's reader gives up on."""
    return f"it is nested too deep, near the limit of {sys.getrecursionlimit()} levels"


def decode_text(data: bytes) -> str:
    """The text in bytes, without its byte order mark.

    Raises:
      ValueError: they are no text, or in an encoding that can't be known; names it, or what is near.
    """
    for mark, name in MARKS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], name, f"begins as {name.upper()}, but ")
    if b"\0" not in data:
        return _strictly(data, "utf-8", "is neither UTF-8 nor UTF-16: ")
    texts = [text for text in (_plain(data, name) for name in WIDE) if text is not None]
    if not texts:
        raise ValueError(f"it is no text (a zero at byte {data.index(0)}); {REMEDY}")
    return max(texts, key=_ascii)  # in the wrong order of bytes Latin letters are rare Chinese ones


def encoding_of(head: bytes) -> str:
    """The encoding, as Python calls it, of a file by its first bytes: of UTF-8 "utf-8-sig", with or without mark."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return "utf-8-sig" if name == "utf-8" else name[:6]  # "utf-16" and "utf-32" take the mark away
    texts = {name: text for name in WIDE if b"\0" in head and (text := _plain(head, name, whole=False)) is not None}
    return max(texts, key=lambda name: _ascii(texts[name])) if texts else "utf-8-sig"


def nfc(text: str) -> str:
    """The text with composed letters: "ü" may also be stored as "u" and two dots, as systems of Apple do."""
    return unicodedata.normalize("NFC", text)


def _strictly(data: bytes, name: str, what: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        binary = any(byte < 32 and byte not in b"\t\n\f\r" for byte in set(data))
        guess = "is no text" if binary else "may be of Windows-1252 or Latin-1" if name == "utf-8" else "does not fit"
        raise ValueError(f"it {what}byte 0x{data[error.start]:02x} at {error.start} {guess}; {REMEDY}") from None


def _plain(data: bytes, name: str, *, whole: bool = True) -> str | None:
    """The text if these bytes (not `whole`: the first of it) are one in encoding `name`, with Latin letters and without
    control characters."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(data, whole)
    except UnicodeDecodeError:
        return None
    odd = any(unicodedata.category(letter) in ("Cc", "Cs", "Cn") and letter not in "\t\n\r\f" for letter in set(text))
    return None if odd or not _ascii(text) else text


def _ascii(text: str) -> int:
    return sum(letter < "\x80" for letter in text)
