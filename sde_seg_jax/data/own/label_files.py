"""What lies in `labels/` of a person's own files: pictures that mirror the tree, and exports of labelling tools."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib

from sde_seg_jax.data.annotation import tools
from sde_seg_jax.data.own.found import LABELS
from sde_seg_jax.data.raw_files import likeness, listing, raw
from sde_seg_jax.text_files import nfc

EXACT = tuple(kind for kind in listing.LABELS if kind not in listing.SMEARED)
READ = f"{LABELS}/ may hold PNGs of the images' paths and {tools.UNDERSTOOD}"
LOOKED_AT = 3  # JPEG files, to tell labels from photographs
# Cityscapes' tools write several files a frame, <frame><part><kind>.
PARTS = ("_gtFine", "_gtCoarse", "")
KINDS = ("_labelIds", "_labelTrainIds", "_color")  # the first that is there counts
BESIDE = ("_instanceIds", "_instanceTrainIds", "_polygons")  # no labels of classes


@dataclasses.dataclass(frozen=True)
class Found:
    """What `labels/` holds.

    Attributes:
      labels: path of a picture below `labels/` without suffix -> that picture, and key of a frame in a tool ->
        reference of `annotation.tools`; in natural order, after what tells most about the classes.
      hidden: pictures in unpacked exports, which are no labels: path below `labels/` without suffix -> (path, export).
      problems: files that nothing understands, and two labels of one name (of which `labels` has the first).
      doubts: labels whose values are not exact.
      notes: files that are no labels.
    """

    labels: dict[str, str]
    hidden: dict[str, tuple[str, str]]
    problems: tuple[str, ...]
    doubts: tuple[str, ...]
    notes: tuple[str, ...]

    def tell(self, problems: raw.Problems) -> None:
        """Hands the messages on."""
        for say, messages in (
            (problems.report, self.problems),
            (problems.doubt, self.doubts),
            (problems.note, self.notes),
        ):
            for message in messages:
                say(message)


def look(root: pathlib.Path) -> Found:
    """Looks through `labels/` of a raw folder; without that folder nothing is found.

    Raises:
      ValueError: the folder has images, but no labels.
    """
    return _look(root / LABELS, state(root))


def state(root: pathlib.Path) -> int:
    """A number that changes with any file in `labels/`, by size and time."""
    files = (str(path) for path in _files(root / LABELS))
    stats = ((file, os.stat(file)) for file in files)
    return hash(frozenset((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats))


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return [here / name for here, files in _tree(folder).folders for name in files]


def _tree(folder: pathlib.Path) -> listing.Tree:
    return listing.tree(folder) if folder.is_dir() else listing.Tree([], [], [], [])


@functools.lru_cache(maxsize=1)
def _look(folder: pathlib.Path, state: int) -> Found:
    del state  # of the files: when it changes, they are looked at again
    there = _SortedOut(folder)
    there.walk()
    doubts = there.take_smeared()
    labels: dict[str, str] = {}
    for name, label in sorted(there.labels, key=lambda pair: tools.is_reference(pair[1])):  # pictures first
        key = plain(name)
        if labels.setdefault(key, label) != label:
            there.problems.append(double(key, labels[key], label))
    labels = {key: labels[key] for key in sorted(labels, key=_order)}
    notes = there.unread()
    if notes and not labels:
        doubts, notes = [*doubts, f"{notes[0]}: no file there is a label that is read; {READ}"], []
    hidden = {plain(name): value for name, value in there.hidden.items()}
    return Found(labels, hidden, tuple(there.problems), tuple(doubts), tuple(notes))


def plain(key: str) -> str:
    """A key as it is compared: systems differ in how they store an "ü", and in their slashes."""
    return nfc(key).replace("\\", "/")


def double(key: str, one: str, other: str) -> str:
    """The message about two labels of one frame."""
    return f"frame '{key}' has two labels, '{one}' and '{other}'; take one away"


class _SortedOut:
    """The files below a folder: (key, label) of pictures and in exports, what is hidden, other files, problems."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.labels: list[tuple[str, str]] = []
        self.hidden: dict[str, tuple[str, str]] = {}
        self.jpegs: list[tuple[str, str]] = []
        self.other: list[pathlib.Path] = []
        self.problems: list[str] = []

    def walk(self) -> None:
        """Looks at all files, once."""
        owners: dict[pathlib.Path, pathlib.Path | None] = {}  # the unpacked export in which a folder is
        for here, files in _tree(self.folder).folders:
            paths = [here / name for name in files]
            owner = owners[here] = self._exports(here, paths, owners.get(here.parent))
            for path in paths:
                suffix, key = listing.suffix(path.name), path.relative_to(self.folder).with_suffix("").as_posix()
                if suffix in EXACT and owner:
                    self.hidden[key] = str(path), str(owner)
                elif suffix in EXACT:
                    self.labels.append((key, str(path)))
                elif suffix in listing.SMEARED and not owner:
                    self.jpegs.append((key, str(path)))
                elif not owner and suffix not in tools.SUFFIXES:
                    self.other.append(path)

    def take_smeared(self) -> list[str]:
        """Takes the JPEG files as labels, with a doubt about them, unless they are photographs: those are a problem.

        Raises:
          ValueError: there is nothing else.
        """
        if not self.jpegs:
            return []
        first = self.jpegs[0][1]
        if any(likeness.looks_labeled(path) for _, path in self.jpegs[:LOOKED_AT]):
            self.labels += self.jpegs
            return [
                f"{len(self.jpegs)} labels are JPEG files, the first is '{first}': JPEG smears ids and colors at every "
                f"edge, so that pixels there have wrong classes or none; save them as PNG"
            ]
        if not self.labels:
            raise ValueError(f"'{first}' is no PNG; labels are PNGs of ids or colors: are images and labels swapped?")
        self.problems.append(
            f"{LABELS}/ has {len(self.jpegs)} photographs among the labels, the first is '{first}'; take them away"
        )
        return []

    def unread(self) -> list[str]:
        """Notes about files that nothing reads; pictures among them are problems."""
        pictures = [path for path in self.other if listing.suffix(path.name) in (".webp", *listing.OTHER_MEDIA)]
        if pictures:
            self.problems.append(
                f"{len(pictures)} labels are of a kind that is not read ({listing.kinds(pictures)}), the first is "
                f"'{pictures[0]}'; save them as PNG"
            )
        rest = [path for path in self.other if path not in pictures]
        return [f"not read in {LABELS}/: {listing.kinds(rest)}, the first is '{rest[0]}'"] if rest else []

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
            self.problems.append(str(error))
            return False
        if not known and path.is_file() and path.suffix.lower() in tools.SUFFIXES:
            self.problems.append(f"nothing is known of '{path}'; {READ}: export it as one of these, or take it away")
        return known

    def _references(self, path: pathlib.Path) -> list[tuple[str, str]]:
        try:
            return list(tools.references(path).items())
        except ValueError as error:
            self.problems.append(str(error))
            return []


def _is_document(path: pathlib.Path) -> bool:
    """Is this a file, but no zip, that a labelling tool wrote?"""
    with contextlib.suppress(ValueError):
        return path.suffix.lower() != ".zip" and tools.find(path) is not None
    return False


def _order(key: str) -> tuple:
    return key.endswith(BESIDE), key.endswith(KINDS[-1]), listing.natural(key)
