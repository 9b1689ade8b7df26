"""What looking at every frame of a clip found, remembered by size and time of its files: once, not in every command.

Kept in ~/.cache/sde_seg_jax/scans, or in `scans` of the folder that SDE_SEG_CACHE names; may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from sde_seg_jax.state_files.reading import DamagedFile, read_json
from sde_seg_jax.state_files.schemas import Schema
from sde_seg_jax.state_files.writing import write_json

CACHE = "SDE_SEG_CACHE"  # environment variable, as of copies of far data
DEFAULT = "~/.cache/sde_seg_jax"
FOLDER = "scans"
VERSION = 1  # raise it when looking finds something else in the same files


def remembered(
    files: Iterable[str | os.PathLike],
    options: tuple,
    schema: Schema,
    look: Callable[[], tuple[Any, bool]],
    fits: Callable[[Any], bool],
) -> Any:
    """What `look()` found in the files, in JSON types.

    It is called again if a file has another size or time, or `options` are others.

    Args:
      files: all that it reads.
      options: what else decides the answer.
      schema: of the answer.
      look: -> (answer, whether it may be remembered: not where files have problems, which are to be told again).
      fits: whether an answer that was read can be of these files; one that cannot is damaged, and no note.
    """
    stats = [(os.path.abspath(file), os.stat(file)) for file in files]
    state = (VERSION, options, [(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats])
    digest = hashlib.sha256(repr(state).encode("utf-8", "surrogateescape")).hexdigest()
    path = folder() / f"{digest[:32]}.json"
    if path.is_file():
        with contextlib.suppress(DamagedFile, OSError):
            known = read_json(path, schema)
            if fits(known):
                return known
    found, good = look()
    if good:
        with contextlib.suppress(OSError):  # a full or read-only disk: it is looked at again
            write_json(path, found)
    return found


def folder() -> pathlib.Path:
    """Where the notes lie."""
    return pathlib.Path(os.environ.get(CACHE) or DEFAULT).expanduser() / FOLDER
