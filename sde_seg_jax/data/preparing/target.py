"""Where preparation writes: a folder that counts only when it is complete, on this machine or far away."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator

from sde_seg_jax.data.stored import remote
from sde_seg_jax.data.stored.finished import WHOLE

STARTED = ".incomplete"  # ends the name of a local folder that is being written
STAGED = "writing-"  # begins the name of a file that is being written
PARTS = "parts"  # folder of notes for continuing; readers need nothing of it
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def open_target(prepared_dir: str | os.PathLike, name: str, version: str) -> Local | Remote:
    """Returns the target `<prepared_dir>/<name>/<version>`; nothing is written yet."""
    if remote.is_remote(prepared_dir):
        return Remote(f"{os.fspath(prepared_dir).rstrip('/')}/{name}/{version}")
    return Local(remote.local_path(prepared_dir) / name / version)


class Local:
    """A folder of this machine, or of a disk that several share. It has another name until it is complete.

    One process at a time writes it, or several that each write their part.
    """

    def __init__(self, folder: pathlib.Path):
        self.url, self.folder = str(folder), folder
        self.partial = folder.with_name(folder.name + STARTED)
        self.written = str(self.partial)  # where unfinished files lie
        self._mine = f"{STAGED}{uuid.uuid4().hex[:12]}-"

    def free(self) -> int | None:
        """Bytes that the disk has left."""
        near = next(parent for parent in self.folder.absolute().parents if parent.exists())
        return shutil.disk_usage(near).free

    def size(self, file: str) -> int | None:
        """Bytes of a finished file, None if there is none."""
        path = self.partial / file
        return path.stat().st_size if path.is_file() else None

    def read(self, file: str) -> str | None:
        """Contents of a finished file, None if there is none."""
        path = self.partial / file
        return path.read_text(encoding="utf-8", errors=remote.ODD_BYTES) if path.is_file() else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Locks the folder, which is made if needed."""
        with self._locked(together=False):
            for left in self.partial.rglob(f"{STAGED}*"):
                left.unlink()
            yield

    @contextlib.contextmanager
    def writing_part(self) -> Iterator[None]:
        """As `writing`, but others may write their parts, too. Processes of other machines are not seen."""
        with self._locked(together=True):
            try:
                yield
            finally:
                for left in self.partial.rglob(f"{self._mine}*"):
                    left.unlink()

    @contextlib.contextmanager
    def _locked(self, *, together: bool) -> Iterator[None]:
        (self.partial / PARTS).mkdir(parents=True, exist_ok=True)
        handle = os.open(self.partial, os.O_RDONLY)
        try:
            _lock(handle, self.partial, together)
            yield
        finally:
            os.close(handle)

    def staging(self, file: str) -> pathlib.Path:
        """Where to write a file before `put` makes it count."""
        return (self.partial / file).with_name(self._mine + pathlib.PurePath(file).name)

    def put(self, file: str) -> None:
        """Gives a staged file its name."""
        self.staging(file).rename(self.partial / file)

    def clear(self) -> None:
        """Removes all that was written, except the folder."""
        shutil.rmtree(self.partial / PARTS, ignore_errors=True)  # from here on nothing else counts
        for path in self.partial.iterdir():
            path.unlink()
        (self.partial / PARTS).mkdir()

    def discard(self) -> None:
        """Removes the folder too."""
        shutil.rmtree(self.partial, ignore_errors=True)

    def finish(self, folder: pathlib.Path) -> None:
        """Adds the last files, those of `folder`, and gives the folder its name, or adds all to the finished one."""
        for path in folder.iterdir():
            shutil.copyfile(path, self.partial / path.name)
        if not self.folder.exists():
            self.partial.rename(self.folder)
            shutil.rmtree(self.folder / PARTS, ignore_errors=True)
            return
        files = [path for path in self.partial.iterdir() if path.is_file()]
        for path in sorted(files, key=lambda path: path.name == WHOLE):
            path.replace(self.folder / path.name)
        self.discard()


class Remote:
    """A folder on any file system of fsspec. It is complete when its metadata are there: they come last."""

    def __init__(self, url: str):
        self.url = self.written = url
        self._stage: pathlib.Path | None = None

    def free(self) -> int | None:
        """Unknown."""
        return None

    def size(self, file: str) -> int | None:
        """Bytes of a finished file, None if there is none."""
        with remote.reachable(self.url):
            system, path = remote.open_system(f"{self.url}/{file}")
            return system.info(path)["size"] if system.exists(path) else None

    def read(self, file: str) -> str | None:
        """Contents of a finished file, None if there is none."""
        return remote.read_text(f"{self.url}/{file}")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Files are written in a temporary folder of this machine, then copied."""
        with tempfile.TemporaryDirectory(prefix="sde_seg_jax-") as stage:
            self._stage = pathlib.Path(stage)
            (self._stage / PARTS).mkdir()
            yield

    writing_part = writing  # nothing keeps processes apart

    def staging(self, file: str) -> pathlib.Path:
        """Where to write a file before `put` makes it count."""
        return self._stage / file

    def put(self, file: str) -> None:
        """Copies a staged file."""
        self._copy(self._stage / file, file)
        (self._stage / file).unlink()

    def clear(self) -> None:
        """Removes all that was written."""
        with remote.reachable(self.url):
            system, path = remote.open_system(self.url)
            if system.exists(path):
                system.rm(path, recursive=True)

    discard = clear

    def finish(self, folder: pathlib.Path) -> None:
        """Copies the last files, those of `folder`: the metadata at the very end."""
        for path in sorted(folder.iterdir(), key=lambda path: path.name == WHOLE):
            self._copy(path, path.name)
        with contextlib.suppress(Exception), remote.reachable(self.url):  # the notes do no harm if they stay
            system, path = remote.open_system(f"{self.url}/{PARTS}")
            system.rm(path, recursive=True)

    def _copy(self, path: pathlib.Path, file: str) -> None:
        with remote.reachable(self.url):
            system, there = remote.open_system(f"{self.url}/{file}")
            system.makedirs(there.rpartition("/")[0], exist_ok=True)
            system.put_file(os.fspath(path), there)


@contextlib.contextmanager
def explained(target: Local | Remote) -> Iterator[None]:
    """Turns what the system says about writing into one line with folder and remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise ValueError(
                f"no room left for '{target.url}' ({error.strerror}); free disk space and start again: it continues "
                f"where it stopped, or choose another prepared_dir"
            ) from error
        raise ValueError(
            f"cannot write '{target.url}' ({error.strerror or error}); change its permissions or choose another "
            f"prepared_dir"
        ) from error


def _lock(handle: int, folder: pathlib.Path, together: bool) -> None:
    import fcntl  # not on Windows

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if together else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"'{folder}' is being written by another process; wait for it, or choose another prepared_dir"
        ) from None
