"""Files that are there whole or not at all: written under another name, flushed to the disk, and renamed.

So a reader never sees half a file, a full disk leaves the old one as it was, and a process may be killed at any time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
from collections.abc import Iterator
from typing import IO, Any

UNFINISHED = ".tmp"  # ends the name of a file that is being written


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path`, whose folder is made, when the block ends without an error.

    A link stays a link, and what is no file (a device, a pipe) is written to, not replaced. Raises OSError that names
    `path`: of a full disk the system tells no name.
    """
    path = pathlib.Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    temporary = path.with_name(path.name + UNFINISHED)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # some disks tell only now that they are full
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_bytes(path: str | os.PathLike, content: bytes | memoryview) -> None:
    """Replaces a file. Raises OSError that names it."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Replaces a file with a text in UTF-8. Raises OSError that names it."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Replaces a file with a JSON value, for people, too. Raises OSError that names it."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_picture(path: str | os.PathLike, image: Any, **options: Any) -> None:
    """Replaces a picture by a uint8 array [H, W, 3] or [H, W]; the form is that of the name. Raises OSError.

    `options` are Pillow's.
    """
    from PIL import Image

    content = io.BytesIO()  # Pillow keeps to itself why a file cannot be written
    kind = Image.registered_extensions()[pathlib.Path(path).suffix.lower()]
    Image.fromarray(image).save(content, format=kind, **options)
    write_bytes(path, content.getbuffer())


def write_array(path: str | os.PathLike, array: Any) -> None:
    """Replaces a .npy file. Raises OSError that names it."""
    import numpy as np

    content = io.BytesIO()  # so does NumPy
    np.save(content, array)
    write_bytes(path, content.getbuffer())
