"""Which files a person wants predictions for, and under which names they are written."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from sde_seg_jax.data.raw_files import listing
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.text_files import nfc


class Source(NamedTuple):
    """One image or video.

    Attributes:
      path: of the file.
      folder: to write into, below that of all results.
      name: begins the names of what is written, or of what is written of each frame.
    """

    path: pathlib.Path
    folder: pathlib.Path
    name: str

    @property
    def is_video(self) -> bool:
        """Is it a video, by its name?"""
        return listing.suffix(self.path.name) in listing.VIDEOS


class Sources(NamedTuple):
    """What is to be predicted, the files beside it that are neither images nor videos, and links that lead nowhere."""

    found: list[Source]
    other: list[pathlib.Path]
    broken: list[pathlib.Path]


def find_sources(path: pathlib.Path, output: pathlib.Path) -> Sources:
    """An image, a video, or all that are below a folder. What is written mirrors the folder's tree.

    Args:
      path: of the image, video or folder.
      output: the folder of all results; within `path` it is passed over, as those of an earlier call are in it.

    Raises:
      UsageError: there is no such file, the folder has no images, or results would go among them.
    """
    if path.is_file():
        return Sources([Source(path, pathlib.Path(), path.stem)], [], [])
    if not path.is_dir():
        raise UsageError(f"--input={path}: no such file or folder")
    if output.is_dir() and output.samefile(path):
        raise UsageError(f"--output={output} is the folder of the images; give another, such as {output}_predicted")
    below = listing.tree(path, lambda folder: not (output.is_dir() and folder.samefile(output)))
    media, other = [], []
    for here, names in below.folders:
        for name in names:
            known = listing.suffix(name) in (*listing.IMAGES, *listing.VIDEOS)
            (media if known else other).append((here / name).relative_to(path))
    if not media:
        kinds = ", ".join((*listing.IMAGES, *listing.VIDEOS))
        there = f"; it has {listing.kinds(other)}" if other else ""
        raise UsageError(f"--input={path}: no images ({kinds}) in this folder{there}")
    return Sources(named(path, media, [here.relative_to(path) for here, _ in below.folders]), other, below.broken)


def named(root: pathlib.Path, files: Sequence[pathlib.Path], folders: Sequence[pathlib.Path]) -> list[Source]:
    """Gives each file a name of its own: a.jpg and a.png become a_jpg and a_png."""
    used = collections.Counter(_key(file.with_suffix("")) for file in files)
    folders_used, names, found = {_key(folder) for folder in folders}, set(), []
    for file in files:
        name, video = file.stem, listing.suffix(file.name) in listing.VIDEOS
        if used[_key(file.with_suffix(""))] > 1 or (video and _key(file.with_suffix("")) in folders_used):
            name = f"{name}_{file.suffix[1:]}"
        while (key := _key(file.with_name(name))) in names or (video and key in folders_used):  # a video gets a folder
            name += "_"
        names.add(key)
        found.append(Source(root / file, file.parent / name if video else file.parent, name))
    return found


def _key(path: pathlib.Path) -> str:
    """Equal for paths that some disk takes for one."""
    return nfc(path.as_posix()).casefold()
