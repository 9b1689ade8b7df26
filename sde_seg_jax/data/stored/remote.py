"""Prepared data on any file system that fsspec knows (gs://, s3://, memory://), and a folder here in their place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import fsspec

CACHE = "SDE_SEG_CACHE"  # environment variable: the folder for copies
DEFAULT_CACHE = "~/.cache/sde_seg_jax/prepared"
LOCAL = "file://"
SHARDS = ".array_record-"  # in the names of the files that hold records
ODD_BYTES = "surrogateescape"


def is_remote(path: str | os.PathLike) -> bool:
    """Is this an address like gs://bucket/folder, not a path of this machine?"""
    text = os.fspath(path)
    return "://" in text and not text.startswith(LOCAL)


def local_path(path: str | os.PathLike) -> pathlib.Path:
    """A path of this machine, also if given as file:///folder or ~/folder."""
    return pathlib.Path(os.fspath(path).removeprefix(LOCAL)).expanduser()


def open_system(url: str | os.PathLike) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns the file system of an address, and the path in it.

    Raises:
      ValueError: there is none of this kind, or its package is not installed.
    """
    text = os.fspath(url)
    try:
        return fsspec.core.url_to_fs(text.rstrip("/"), use_listings_cache=False)
    except ImportError as error:
        raise ValueError(f"'{text}' cannot be used: {error}; install that package with pip") from None
    except ValueError as error:
        known = "for example gs://bucket/folder, s3://bucket/folder, or a local path"
        raise ValueError(f"'{text}' cannot be used: {error}; expected {known}") from None


@contextlib.contextmanager
def reachable(url: str | os.PathLike) -> Iterator[None]:
    """Tells what goes wrong on a far file system as ValueError in one line with the address."""
    try:
        yield
    except ValueError:
        raise
    except Exception as error:  # every file system has its own errors
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        message = f"'{os.fspath(url)}' cannot be read or written ({reason}); check address, permissions and network"
        raise ValueError(message) from error


def subfolders(url: str) -> list[str]:
    """Names of the folders in a folder; none if it does not exist."""
    with reachable(url):
        system, path = open_system(url)
        if not system.exists(path):
            return []
        return sorted(pathlib.PurePosixPath(entry).name for entry in system.ls(path, detail=False))


def read_text(url: str) -> str | None:
    """Contents of a file, None if there is none; bytes that are no UTF-8 become what no reader of JSON takes."""
    with reachable(url):
        system, path = open_system(url)
        return system.cat_file(path).decode(errors=ODD_BYTES) if system.exists(path) else None


def cache_folder() -> pathlib.Path:
    """Where copies are kept: SDE_SEG_CACHE, else a folder below the home folder."""
    return pathlib.Path(os.environ.get(CACHE) or DEFAULT_CACHE).expanduser()


def mirror(url: str, key: str, origin: str) -> pathlib.Path:
    """Returns a folder of this machine with the small files of a far one, made the first time `key` is asked for.

    Its shards are left where they are; the file named `origin` tells the address, see `far_files`.

    Raises:
      ValueError: they can't be copied, naming the address; or the disk is full.
    """
    digest = hashlib.sha256(f"{url}\n{key}".encode(errors=ODD_BYTES)).hexdigest()[:16]
    cache = cache_folder() / digest
    folder = cache / pathlib.PurePosixPath(url).name
    if folder.is_dir():
        return folder
    with reachable(url):
        cache.mkdir(parents=True, exist_ok=True)
        copy = pathlib.Path(tempfile.mkdtemp(prefix="copy-", dir=cache))
        try:
            system, path = open_system(url)
            for entry in system.ls(path, detail=False):
                name = pathlib.PurePosixPath(entry).name
                if SHARDS not in name and system.isfile(entry):
                    system.get_file(entry, os.fspath(copy / name))
            (copy / origin).write_text(json.dumps({"url": url}), encoding="utf-8")
            with contextlib.suppress(OSError):  # another process may have been faster
                copy.rename(folder)
            if not folder.is_dir():
                raise ValueError(f"'{folder}' cannot be made; check permissions, or choose another folder by {CACHE}")
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    return folder
