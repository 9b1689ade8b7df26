"""Label Studio's export "Brush labels to PNG" (or "to NumPy"): task-<number>-annotation-<number>-by-<who>-....

It does not say which image a task shows, nor which region lies over which: only JSON exports do.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable

from sde_seg_jax.data.annotation import archives

NAME = re.compile(r"task-(\d+)-annotation-\d+-by-.*-\d+\.(?:png|npy)")
REMEDY = "export as JSON from Label Studio instead, and put that file into labels/"


def tasks(path: pathlib.Path) -> set[int]:
    """Numbers of the tasks of an export, a zip or a folder; none: it is no such export.

    Raises:
      ValueError: a zip that can not be read.
    """
    try:
        names = os.listdir(path) if path.is_dir() else [name.rpartition("/")[2] for name in archives.names(path)]
    except (ValueError, *archives.BROKEN) as error:
        raise ValueError(f"cannot read '{path}' ({error}); export it again") from error
    return {int(found.group(1)) for found in map(NAME.fullmatch, names) if found}


def check(path: pathlib.Path, labeled: Callable[[pathlib.Path], set[int]]) -> None:
    """Checks that JSON exports beside this export, or in it, have its tasks; `labeled` gives those of one.

    Raises:
      ValueError: there are other tasks.
    """
    beside = [*(path.glob("*.json") if path.is_dir() else ()), *path.parent.glob("*.json")]
    missing = tasks(path).difference(*map(labeled, beside))
    if missing:
        raise ValueError(
            f"'{path}' has masks, but not which images they are of (task {min(missing)} is in no JSON export beside "
            f"it); {REMEDY}"
        )
