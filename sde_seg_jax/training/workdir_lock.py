"""One run at a time in a workdir: two would overwrite each other's checkpoints and log.

The system's own lock (flock, or LockFileEx) is held while a run lasts, so a crash or a kill leaves none behind. On a
shared disk it holds between machines if that disk passes locks on (NFS with its lock service, CIFS, Lustre mounted with
`flock`); `filelock` says how it goes on where there are none at all.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import socket
from collections.abc import Iterator

import filelock

from sde_seg_jax import disk
from sde_seg_jax.training.log import write_text

LOCK, HOLDER = ".run.lock", ".run.json"


class Busy(ValueError):
    """Another run writes into this workdir; the message names it."""


@contextlib.contextmanager
def alone(workdir: str | pathlib.Path) -> Iterator[None]:
    """While this lasts, `alone` of the same folder raises Busy, in this process and in others.

    A folder that did not exist is made, and is gone again afterwards if nothing was written into it. Raises OSError
    that names a folder where nothing can be written.
    """
    folder = pathlib.Path(workdir).expanduser().resolve()
    new = not folder.exists()
    lock = filelock.FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        write_text(folder / HOLDER, json.dumps(_this_process()) + "\n")
    except filelock.Timeout:
        raise Busy(f"{folder} is in use by {_holder(folder)}: wait for it, or choose another --workdir") from None
    except OSError as error:
        lock.release()
        what = disk.remedy(error, "make the folder writable, or choose another --workdir")
        raise OSError(f"cannot write into {folder} ({error.strerror or error}): {what}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)
        lock.release()
        if new:
            _leave_no_empty_folder(folder)


def _this_process() -> dict[str, str | int]:
    started = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return {"host": socket.gethostname(), "process": os.getpid(), "started": started}


def _holder(folder: pathlib.Path) -> str:
    """As in "process 77 on host1, since 2026-01-01 12:00:00 UTC"."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return f"process {found['process']} on {found['host']}, since {found['started']}"
    return "another process"


def _leave_no_empty_folder(folder: pathlib.Path) -> None:
    """Removes a folder that holds nothing: that of a run that could not begin."""
    below = sorted(folder.rglob("*"), reverse=True)
    if all(path.is_dir() or path == folder / LOCK for path in below):
        with contextlib.suppress(OSError):  # somebody else writes there
            for path in [*below, folder]:
                path.rmdir() if path.is_dir() else path.unlink()
