"""Files of an export of CVAT, which is a zip, the folder it was unpacked to, or one XML file. Nothing is unpacked."""

from __future__ import annotations

import contextlib
import pathlib
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

AGAIN = "export it again from CVAT"
# What zipfile makes of broken, encrypted and exotic archives, besides what any file does.
BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, KeyError)


def names(path: pathlib.Path) -> list[str]:
    """Names of the files in an export with "/" between folders, sorted; hidden ones are left out.

    Raises:
      ValueError: it is missing, or a zip that is broken.
    """
    try:
        if path.is_dir():
            found = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        elif path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                found = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        else:
            found = [path.name]
    except BROKEN as error:
        raise ValueError(f"cannot read '{path}' ({error}); {AGAIN}") from error
    return sorted(name for name in found if not any(part.startswith((".", "__MACOSX")) for part in name.split("/")))


@contextlib.contextmanager
def opened(path: pathlib.Path, name: str) -> Iterator[IO[bytes]]:
    """Opens a file of an export for reading; what goes wrong meanwhile is a ValueError that names both."""
    with contextlib.ExitStack() as stack:
        try:
            if path.is_dir():
                yield stack.enter_context(open(path / name, "rb"))
            elif path.suffix.lower() == ".zip":
                yield stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(name))
            else:
                yield stack.enter_context(open(path, "rb"))
        except BROKEN as error:
            raise ValueError(f"cannot read '{name}' of '{path}' ({error}); {AGAIN}") from error
