"""Files of an export that is a zip, the folder it was unpacked to, or one file. Nothing is unpacked to disk.

What a file says of its size is looked at before it is read: a zip of half a megabyte can hold a gigabyte.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from sde_seg_jax.data.raw_files.listing import is_hidden
from sde_seg_jax.text_files import check_bytes

ENTRY = 1 << 30  # bytes that one file may have, unpacked
TOTAL = 64 << 30  # and all of an archive: exports may hold the images, too
RATIO, SMALL = 100, 16 << 20  # a file that unpacks to more than `SMALL` may be packed so many times
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others can't be read bit by bit
UTF_8 = 0x800  # flag of a name in a zip
# What zipfile makes of broken, encrypted and exotic archives, besides what any file does.
BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, KeyError)


def names(path: pathlib.Path) -> list[str]:
    """Names of the files in an export with "/" between folders, sorted; hidden ones are left out.

    Raises:
      ValueError: what a zip says of its content is too large, or two names differ in their slashes only.
      One of `BROKEN`: it is missing, or no zip.
    """
    return sorted(_stored(path))


@contextlib.contextmanager
def opened(path: pathlib.Path, name: str, limit: int = ENTRY) -> Iterator[IO[bytes]]:
    """Opens a file of an export for reading, one of `names`.

    Raises:
      ValueError: it has more than `limit` bytes, or is packed too densely or in a way that no tool does.
      One of `BROKEN`: it is gone or damaged.
    """
    with contextlib.ExitStack() as stack:
        if is_zip(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            entry = _entry(archive, name)
            check_bytes(entry.file_size, limit)
            _check_ratio(entry.file_size, entry.compress_size)
            if entry.compress_type not in METHODS:
                raise ValueError(f"it is packed by method {entry.compress_type}; expected 0 (stored) or 8 (deflated)")
            yield stack.enter_context(archive.open(entry))
        else:
            file = path
            if path.is_dir():
                file = path / (name if (path / name).is_file() else _stored(path)[name])
            check_bytes(os.stat(file).st_size, limit)
            yield stack.enter_context(open(file, "rb"))


def is_zip(path: pathlib.Path) -> bool:
    """Whether a path has the name of a zip."""
    return path.suffix.lower() == ".zip" and not path.is_dir()


def _stored(path: pathlib.Path) -> dict[str, str]:
    """Name of each file, as `names` has it -> as it is stored."""
    if path.is_dir():
        files = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        pairs = [(file.replace("\\", "/"), file) for file in files]
    elif is_zip(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        check_bytes(size, TOTAL)
        _check_ratio(size, os.stat(path).st_size)
        pairs = [(_name(entry), entry.filename) for entry in entries]
    else:
        pairs = [(path.name, path.name)]
    found: dict[str, str] = {}
    for name, stored in pairs:
        if name.endswith("/") or any(is_hidden(part) for part in name.split("/") if part):
            continue
        if found.setdefault(name, stored) != stored:
            raise ValueError(f"it has '{name}' twice, as {found[name]!r} and {stored!r}; take one away")
    return found


def _name(entry: zipfile.ZipInfo) -> str:
    """The name of an entry: Windows may write backslashes, and macOS UTF-8 without saying so."""
    name = entry.filename
    if not entry.flag_bits & UTF_8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _entry(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    with contextlib.suppress(KeyError):
        return archive.getinfo(name)
    found = next((entry for entry in archive.infolist() if _name(entry) == name), None)
    if found is None:
        raise KeyError(f"there is no '{name}' in the archive")
    return found


def _check_ratio(size: int, packed: int) -> None:
    if size > SMALL and size > RATIO * packed:
        raise ValueError(f"it unpacks from {packed:,} to {size:,} bytes, more than {RATIO} times as many")
