"""What lies in `labels/` of a person's own files: PNGs that mirror the tree, and exports of labelling tools."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib

from sde_seg_jax.data.annotation import tools
from sde_seg_jax.data.own.clips import LABELS, natural
from sde_seg_jax.data.raw_files import raw

SUFFIX = ".png"
# Cityscapes' tools write several files a frame, <frame><part><kind>.
PARTS = ("_gtFine", "_gtCoarse", "")
KINDS = ("_labelIds", "_labelTrainIds", "_color")  # the first that is there counts
BESIDE = ("_instanceIds", "_instanceTrainIds", "_polygons")  # no labels of classes


@dataclasses.dataclass(frozen=True)
class Found:
    """What `labels/` holds.

    Attributes:
      labels: path of a PNG below `labels/` without suffix -> that PNG, and key of a frame in a tool -> reference of
        `annotation.tools`; in natural order, after what tells most about the classes.
      hidden: PNGs in unpacked exports, which are no labels: path below `labels/` without suffix -> (path, export).
      problems: files that nothing understands, and two labels of one name (of which `labels` has the first).
    """

    labels: dict[str, str]
    hidden: dict[str, tuple[str, str]]
    problems: tuple[str, ...]


def look(root: pathlib.Path) -> Found:
    """Looks through `labels/` of a raw folder; without that folder nothing is found.

    Raises:
      ValueError: the folder has images, but no labels.
    """
    return _look(root / LABELS, state(root))


def state(root: pathlib.Path) -> int:
    """A number that changes with any file in `labels/`, by size and time."""
    files = (os.path.join(folder, file) for folder, _, files in os.walk(root / LABELS) for file in files)
    stats = ((file, os.stat(file)) for file in files if os.path.isfile(file))
    return hash(frozenset((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats))


@functools.lru_cache(maxsize=1)
def _look(folder: pathlib.Path, state: int) -> Found:
    del state  # of the files: when it changes, they are looked at again
    there = _SortedOut(folder)
    there.walk()
    if there.pictures and not there.labels:
        first = there.pictures[0]
        raise ValueError(f"'{first}' is no PNG; labels are PNGs of ids or colors: are images and labels swapped?")
    labels: dict[str, str] = {}
    for key, label in sorted(there.labels, key=lambda pair: tools.is_reference(pair[1])):  # PNGs first
        if labels.setdefault(key, label) != label:
            there.notes.append(double(key, labels[key], label))
    labels = {key: labels[key] for key in sorted(labels, key=_order)}
    return Found(labels, there.hidden, tuple(there.notes))


def double(key: str, one: str, other: str) -> str:
    """The message about two labels of one frame."""
    return f"frame '{key}' has two labels, '{one}' and '{other}'; take one away"


class _SortedOut:
    """The files below a folder: (key, label) of PNGs and in exports, what is hidden, other pictures, problems."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.labels: list[tuple[str, str]] = []
        self.hidden: dict[str, tuple[str, str]] = {}
        self.pictures: list[pathlib.Path] = []
        self.notes: list[str] = []

    def walk(self) -> None:
        """Looks at all files, once."""
        owners: dict[pathlib.Path, pathlib.Path | None] = {}  # the unpacked export in which a folder is
        for name, folders, files in os.walk(self.folder):
            here = pathlib.Path(name)
            folders[:] = sorted((name for name in folders if name[0] != "."), key=natural)
            paths = [here / name for name in sorted(files, key=natural) if name[0] != "." and (here / name).is_file()]
            owner = owners[here] = self._exports(here, paths, owners.get(here.parent))
            for path in paths:
                suffix, key = path.suffix.lower(), path.relative_to(self.folder).with_suffix("").as_posix()
                if suffix == SUFFIX and owner:
                    self.hidden[key] = str(path), str(owner)
                elif suffix == SUFFIX:
                    self.labels.append((key, str(path)))
                elif suffix in raw.IMAGES and not owner:
                    self.pictures.append(path)

    def _exports(
        self, here: pathlib.Path, paths: list[pathlib.Path], owner: pathlib.Path | None
    ) -> pathlib.Path | None:
        """Adds the exports in one folder (but not below); returns to which unpacked export its other files belong."""
        zips = [path for path in paths if path.suffix.lower() == ".zip"]  # never a part of something unpacked
        if owner:
            paths = zips
        elif self._is_export(here):
            labels = self._references(here)
            # A document in labels/ itself lies among other labels; elsewhere it is a part of what was unpacked. An
            # export without labels is a picture for every region, of which a document in it tells the frames.
            documents = here == self.folder and any(_is_document(path) for path in paths)
            if not (labels and documents):
                owner = here
            if labels and owner:
                self.labels += labels
                paths = zips
        for path in filter(self._is_export, paths):
            self.labels += self._references(path)
        return owner

    def _is_export(self, path: pathlib.Path) -> bool:
        """Is this file or folder an export of a labelling tool? Notes a file that may be meant as one, but is none."""
        if path.stem.endswith(BESIDE):
            return False
        try:
            known = tools.find(path) is not None
        except ValueError as error:
            self.notes.append(str(error))
            return False
        if not known and path.is_file() and path.suffix.lower() in tools.SUFFIXES:
            self.notes.append(
                f"nothing is known of '{path}'; {LABELS}/ may hold PNGs of the images' paths and {tools.UNDERSTOOD}: "
                f"export it as one of these, or take it away"
            )
        return known

    def _references(self, path: pathlib.Path) -> list[tuple[str, str]]:
        try:
            return list(tools.references(path).items())
        except ValueError as error:
            self.notes.append(str(error))
            return []


def _is_document(path: pathlib.Path) -> bool:
    """Is this a file, but no zip, that a labelling tool wrote?"""
    with contextlib.suppress(ValueError):
        return path.suffix.lower() != ".zip" and tools.find(path) is not None
    return False


def _order(key: str) -> tuple:
    return key.endswith(BESIDE), key.endswith(KINDS[-1]), natural(key)
