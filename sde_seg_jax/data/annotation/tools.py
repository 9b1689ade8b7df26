"""Which labelling tool wrote a file or a folder, and the labels in it as references, "<path>!<inner>"."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import types
from collections.abc import Iterator

from sde_seg_jax.data.annotation import archives, cvat, label_studio, plain, xml_files
from sde_seg_jax.data.annotation.frames import NamedLabel, OtherSize, check_size
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import Size
from sde_seg_jax.lookup import load, offered
from sde_seg_jax.text_files import read_json

# name in commands -> module with find, references, read, write; a file is shown to one after the other
TOOLS = {"cvat": cvat, "label_studio": label_studio, "folder": plain}
GROUP = "sde_seg_jax.annotation"  # entry points of other packages: name -> such a module
# Files that labelling tools write, understood or not; any other file beside labels is nobody's label.
SUFFIXES = (".zip", ".json", ".xml", ".csv", ".tsv", ".npy", ".tar", ".gz", ".tgz", ".7z", ".rar")
UNDERSTOOD = (
    'exports of CVAT ("Segmentation mask 1.1" or "CVAT for images 1.1", zipped or unpacked), of Label Studio (JSON) '
    "and of --export=folder"
)
SEPARATOR = "!"
BROKEN = (*raw.BROKEN, *archives.BROKEN)
JSON = 256 << 20  # bytes of a file that is looked at whole, to say what it is not


def names() -> tuple[str, ...]:
    """Names of all tools: ours, then what other packages offer."""
    return (*TOOLS, *(name for name in offered(GROUP) if name not in TOOLS))


def tool(name: str) -> types.ModuleType:
    """The module of a tool, one of `names`."""
    return TOOLS[name] if name in TOOLS else load(offered(GROUP)[name], "labelling tool", "find")


@functools.cache  # asked for every file beside labels
def _all() -> tuple[types.ModuleType, ...]:
    return tuple(map(tool, names()))


def find(path: pathlib.Path) -> types.ModuleType | None:
    """The module of the tool whose export this file or folder is; None: no tool knows it.

    Raises:
      ValueError: it is a broken file, naming it.
    """
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        return None
    with _named(str(path)):
        for each in _all():
            if each.find(path):
                return each
        if path.is_file():
            _open(path)
        return None


def references(path: pathlib.Path) -> dict[str, str]:
    """Key of a frame -> reference of its label, of an export that `find` knows.

    Raises:
      ValueError: the export is broken, or has no labels, naming it.
    """
    owner = find(path)
    with _named(str(path)):
        return dict(owner.references(path))


def read(reference: str, size: Size | None = None) -> NamedLabel:
    """The label of a reference of `references`.

    Args:
      reference: of it.
      size: (height, width) of its frame: our own tools look at that before there is an array.

    Raises:
      OtherSize: it has another size.
      ValueError: what it stands for is broken or gone, naming it.
    """
    path = split(reference)[0]
    with _named(reference):
        stat = os.stat(path)
        owner = _owner(path, stat.st_mtime_ns, stat.st_size)
        if owner is None:
            raise ValueError(f"'{path}' is no longer an export of a labelling tool; prepare again")
        found = owner.read(reference, size) if owner in TOOLS.values() else owner.read(reference)
        check_size(found.indices.shape, size)
        return found


def is_reference(label: str) -> bool:
    """Is this a label within an export, not a file of its own (whose path may have a "!", too)?"""
    return SEPARATOR in label and not os.path.isfile(label)


def split(reference: str) -> tuple[str, str]:
    """(path of the export, which label in it); the longest path that exists counts, as both may have a "!"."""
    parts = reference.split(SEPARATOR)
    for count in range(len(parts) - 1, 0, -1):
        path = SEPARATOR.join(parts[:count])
        if os.path.exists(path):
            return path, SEPARATOR.join(parts[count:])
    return tuple(reference.rsplit(SEPARATOR, 1))


@functools.lru_cache(maxsize=64)
def _owner(path: str, changed: int, size: int) -> types.ModuleType | None:
    del changed, size  # of the file: when they do, it is looked at again
    return find(pathlib.Path(path))


def _open(path: pathlib.Path) -> None:
    """Raises an error if this file, which no tool knows, is not even what its suffix says."""
    kind = path.suffix.lower()
    if kind == ".zip":
        archives.names(path)
    elif kind == ".json":
        read_json(path, JSON)
    elif kind == ".xml":
        with open(path, "rb") as file:
            xml_files.Parser().parse(file)


@contextlib.contextmanager
def _named(where: str) -> Iterator[None]:
    """Makes every error of a broken file a ValueError on one line that names it."""
    try:
        yield
    except OtherSize:
        raise
    except BROKEN as error:
        if isinstance(error, ValueError) and (split(where)[0] if is_reference(where) else where) in str(error):
            raise
        message = f"cannot read '{where}' ({' '.join(str(error).split())}); export it again, then prepare again"
        raise ValueError(message) from error
