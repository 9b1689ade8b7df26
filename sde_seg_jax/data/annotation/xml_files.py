"""XML of strangers: in any encoding that it declares, without document types (which define entities that grow)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import IO
from xml.parsers import expat

from sde_seg_jax.text_files import encoding_of

DEPTH = 64  # of elements in each other; CVAT has five
CHUNK = 1 << 16  # bytes
DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
KNOWN = re.compile(r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-\w|shift_jis|euc_\w+|gb\w+|big5")  # as Python calls them


def utf8(file: IO[bytes]) -> Iterator[bytes]:
    """The document in UTF-8, in pieces, without byte order mark; its declaration may still say something else.

    Raises:
      ValueError: it is not in the encoding that it declares or begins with, or that is not known.
    """
    chunk = file.read(CHUNK)
    name = _encoding(chunk)
    decoder, at = codecs.getincrementaldecoder(name)(), 0
    while True:
        try:
            yield decoder.decode(chunk, final=not chunk).encode()
        except UnicodeError as error:
            said, other = ("UTF-8", ", perhaps one of Windows-1252 or Latin-1") if name == "utf-8-sig" else (name, "")
            place = at + getattr(error, "start", 0)
            raise ValueError(f"it is no text in {said} from byte {place} on{other}; save it as UTF-8") from error
        if not chunk:
            return
        at += len(chunk)
        chunk = file.read(CHUNK)


class Parser:
    """Calls `start(tag, attributes, depth)` and `end(tag, depth)` for the elements of a document, from depth 1 on.

    `place` is the first byte, in UTF-8, of the tag at which it is.
    """

    def __init__(
        self,
        start: Callable[[str, dict[str, str], int], None] = lambda *_: None,
        end: Callable[[str, int], None] = lambda *_: None,
    ):
        self._start, self._end, self._depth = start, end, 0
        self._expat = expat.ParserCreate("utf-8")
        self._expat.StartElementHandler, self._expat.EndElementHandler = self._open, self._close
        self._expat.StartDoctypeDeclHandler = self._refuse

    @property
    def place(self) -> int:
        return self._expat.CurrentByteIndex

    def parse(self, file: IO[bytes]) -> None:
        """Reads a document from start to end.

        Raises:
          ValueError: it is not well formed, too deep, has a document type, or another encoding than it says.
        """
        for piece in utf8(file):
            self.feed(piece)
        self.feed(b"", last=True)

    def feed(self, data: bytes, *, last: bool = False) -> None:
        """Reads a piece of it, in UTF-8; raises as `parse` does."""
        try:
            self._expat.Parse(data, last)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from error

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            raise ValueError(f"it has elements nested more than {DEPTH} deep")
        self._start(tag, attributes, self._depth)

    def _close(self, tag: str) -> None:
        self._end(tag, self._depth)
        self._depth -= 1

    def _refuse(self, *_) -> None:
        raise ValueError("it has a document type (<!DOCTYPE), which no labelling tool writes")


def _encoding(head: bytes) -> str:
    name = encoding_of(head)
    declared = DECLARED.search(head[:1024]) if name == "utf-8-sig" else None
    if declared is None:
        return name
    text = declared[1].decode()
    try:
        known = codecs.lookup(text).name
    except LookupError:
        known = ""
    if known.startswith("utf-16"):  # an editor changed the bytes, but not what the first line says
        return name
    if not KNOWN.fullmatch(known):
        raise ValueError(f"it declares the encoding {text!r}, which is not known; save it as UTF-8")
    return name if known in ("utf-8", "ascii") else known
