"""Large files of a far folder: each is copied here when it is first read, and the least recently used give way."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import time
import uuid

from filelock import FileLock

from sde_seg_jax.data.stored import remote

ORIGIN = "far.json"  # in a local folder: where the files are that it lacks
LIMIT = "SDE_SEG_CACHE_GB"  # environment variable: how much of such files this machine keeps
PARTIAL, LOCK = ".partial", ".lock"  # end the names of what stands beside them
TOUCHED = 60.0  # seconds after which a use is noted again


@dataclasses.dataclass
class FarFiles:
    """Files of the folder `url`, kept in `folder`; may be used by many threads and processes."""

    folder: pathlib.Path
    url: str
    used: dict[str, float] = dataclasses.field(default_factory=dict)  # file -> when its last use was noted

    def get(self, file: str) -> tuple[pathlib.Path, bool]:
        """(a copy on this machine, is it the one of the last call?); copied now if there is none.

        Raises ValueError that names the address if it cannot be read; OSError if the disk is full.
        """
        path, now = self.folder / file, time.monotonic()
        if now - self.used.get(file, -math.inf) < TOUCHED:
            return path, True
        known = file in self.used
        while True:
            with contextlib.suppress(FileNotFoundError):  # another process may have made room
                os.utime(path)
                self.used[file] = now
                return path, known
            known = False
            with FileLock(f"{path}{LOCK}"):
                if not path.exists():
                    self._copy(file, path)

    def forget(self, file: str) -> None:
        """The copy is gone: the next call looks again."""
        self.used.pop(file, None)

    def _copy(self, file: str, path: pathlib.Path) -> None:
        partial = path.with_name(f"{file}.{uuid.uuid4().hex[:12]}{PARTIAL}")
        try:
            with remote.reachable(f"{self.url}/{file}"):
                system, there = remote.open_system(f"{self.url}/{file}")
                system.get_file(there, os.fspath(partial))
                size, found = system.info(there)["size"], partial.stat().st_size
            if size != found:
                raise ValueError(f"'{self.url}/{file}' came with {found} of {size} bytes; check the network, try again")
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
        make_room(path, found)


def origin(folder: str | os.PathLike) -> FarFiles | None:
    """The far files of a folder that `remote.mirror` made; None for any other."""
    path = pathlib.Path(folder)
    try:
        return FarFiles(path, json.loads((path / ORIGIN).read_text(encoding="utf-8"))["url"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"'{path / ORIGIN}' is damaged; delete '{path}', it is made again") from error


def limit() -> float:
    """Bytes of far files that this machine keeps; infinite unless SDE_SEG_CACHE_GB says less. Raises ValueError."""
    text = os.environ.get(LIMIT, "")
    try:
        gigabytes = float(text or "inf")
    except ValueError:
        gigabytes = math.nan
    if not gigabytes > 0:
        raise ValueError(f"{LIMIT}={text} is no number of gigabytes above 0; correct or unset it")
    return gigabytes * 1e9


def make_room(kept: pathlib.Path, size: int) -> None:
    """Deletes least recently used copies, of any data set, until all fit the limit beside the one that is `kept`.

    `size`: bytes of that one, which another process may delete meanwhile.
    """
    most = limit()
    if math.isinf(most):
        return
    copies = []
    for marker in remote.cache_folder().glob(f"*/*/{ORIGIN}"):
        for path in marker.parent.glob(f"*{remote.SHARDS}*"):
            if not path.name.endswith(LOCK) and path != kept:
                with contextlib.suppress(FileNotFoundError):
                    copies.append((path.stat().st_mtime, path.stat().st_size, path))
    total = size + sum(bytes_ for _, bytes_, _ in copies)
    for _, bytes_, path in sorted(copies, key=lambda copy: copy[0]):
        if total <= most:
            break
        if not path.name.endswith(PARTIAL):  # somebody is copying it
            path.unlink(missing_ok=True)
            total -= bytes_
