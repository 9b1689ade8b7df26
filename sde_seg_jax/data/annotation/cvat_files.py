"""Files of an export of CVAT, a zip, a folder or one XML file, with errors that name it and the remedy."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import IO

from sde_seg_jax.data.annotation import archives

AGAIN = "export it again from CVAT"


def names(path: pathlib.Path) -> list[str]:
    """Names of the files in an export with "/" between folders, sorted; hidden ones are left out.

    Raises:
      ValueError: it is missing, or a zip that is broken, or too large once unpacked.
    """
    try:
        return archives.names(path)
    except (ValueError, *archives.BROKEN) as error:
        raise ValueError(f"cannot read '{path}' ({error}); {AGAIN}") from error


@contextlib.contextmanager
def opened(path: pathlib.Path, name: str, limit: int = archives.ENTRY) -> Iterator[IO[bytes]]:
    """Opens a file of an export for reading; what goes wrong meanwhile is a ValueError that names both."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(archives.opened(path, name, limit))
        except (ValueError, *archives.BROKEN) as error:
            raise _unreadable(path, name, error) from error
        try:
            yield file
        except archives.BROKEN as error:
            raise _unreadable(path, name, error) from error


def _unreadable(path: pathlib.Path, name: str, error: Exception) -> ValueError:
    return ValueError(f"cannot read '{name}' of '{path}' ({error}); {AGAIN}")
