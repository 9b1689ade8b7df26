"""What lies in a person's own folder: clips, and all that is none or may be meant otherwise."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sde_seg_jax.data.annotation import tools
from sde_seg_jax.data.raw_files import likeness, listing, raw

LABELS = "labels"  # the folder that mirrors the tree
ROOT = "images"  # name of the clip of images that lie in the raw folder itself
CLASSES, CAMERA = "classes.json", "camera.json"  # and *.camera.json
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
MIRROR = f"{LABELS}/ in the raw folder, which mirrors the tree of the frames"


class Listed(NamedTuple):
    """One clip: its name, the folder or the video file, and the image files in the folder (of a video none)."""

    name: str
    path: pathlib.Path
    images: tuple[str, ...]


class Found(NamedTuple):
    """What is below a raw folder: clips by name, and messages for `raw.Problems`."""

    clips: list[Listed]
    problems: list[str]
    doubts: list[str]
    notes: list[str]

    def tell(self, problems: raw.Problems) -> None:
        """Hands the messages on."""
        for kind in ("problem", "doubt", "note"):
            say = problems.report if kind == "problem" else getattr(problems, kind)
            for message in getattr(self, f"{kind}s"):
                say(message)


def look(root: pathlib.Path) -> Found:
    """Looks through a raw folder; every folder and every file counts once, whatever links lead to it.

    Raises:
      ValueError: there are no frames, or two clips have one name.
    """
    below = listing.tree(root, lambda folder: not _is_labels(root, folder) and not _asks(folder))
    asked = [folder for folder in below.refused if not _is_labels(root, folder)]
    problems = [message for folder in asked for message in _about_labels(folder)]
    problems += [f"link '{link}' leads nowhere; correct it, or take it away" for link in below.broken]
    notes = [f"'{link}' is the same folder as '{first}': its frames are taken once" for link, first in below.again]
    found: dict[str, Listed] = {}
    media = {here: [name for name in files if _is_media(name)] for here, files in below.folders}
    other = [here / name for here, files in below.folders for name in files if not (_is_media(name) or _is_known(name))]
    home, twice = _homes(media), []
    for here, files in media.items():
        once = [name for name in files if home[here / name] == here]
        twice += [(here / name, home[here / name]) for name in files if home[here / name] != here]
        for clip in _clips(root, here, once):
            if clip.name in found:
                there = found[clip.name].path
                raise ValueError(f"'{there}' and '{clip.path}' are clips of one name, {clip.name!r}; rename one")
            found[clip.name] = clip
    if twice:
        link, first = twice[0]
        notes.append(f"{len(twice)} files lie in two folders (linked): taken once; the first is '{link}', in '{first}'")
    if not found:
        raise ValueError(_nothing(root, problems, other))
    doubts, more = _unread(other)
    return Found([found[key] for key in sorted(found, key=listing.natural)], problems, doubts, [*notes, *more])


def _clips(root: pathlib.Path, here: pathlib.Path, files: Sequence[str]) -> list[Listed]:
    """The clips in one folder: its images, and each of its videos."""
    relative = here.relative_to(root)
    images = tuple(name for name in files if listing.suffix(name) in listing.IMAGES)
    clips = [Listed(relative.as_posix() if relative.parts else ROOT, here, images)] if images else []
    videos = [here / name for name in files if listing.suffix(name) in listing.VIDEOS]
    return clips + [Listed((relative / path.stem).as_posix(), path, ()) for path in videos]


def _is_labels(root: pathlib.Path, folder: pathlib.Path) -> bool:
    """Is this `labels/`, also where the disk does not tell it from Labels/?"""
    labels = root / LABELS
    return folder == labels or (folder.parent == root and labels.is_dir() and folder.samefile(labels))


def _asks(folder: pathlib.Path) -> bool:
    """Does this folder seem to hold labels? Where only a part of its name says so, its pictures must, too."""
    if not listing.may_be_labels(folder.name):
        return False
    return listing.called_labels(folder.name) or likeness.any_labeled(folder)


def _about_labels(folder: pathlib.Path) -> list[str]:
    files = [name for _, names in listing.tree(folder).folders for name in names]
    if not files:
        return []
    return [
        f"'{folder}' seems to hold labels ({listing.kinds(files)}) and is not read: move it to {MIRROR}, or give it "
        f"another name if these are frames"
    ]


def _homes(media: Mapping[pathlib.Path, Sequence[str]]) -> dict[pathlib.Path, pathlib.Path]:
    """The folder in which each file counts: where it lies itself, not where a link to it is."""
    files = [here / name for here, names in media.items() for name in names]
    first: dict[object, pathlib.Path] = {}
    same = {path: listing.identity(path) for path in files}
    for path in sorted(files, key=pathlib.Path.is_symlink):
        first.setdefault(same[path], path.parent)
    return {path: first[same[path]] for path in files}


def _is_media(name: str) -> bool:
    return listing.suffix(name) in (*listing.IMAGES, *listing.VIDEOS)


def _is_known(name: str) -> bool:
    return name in (CLASSES, CAMERA) or name.endswith(f".{CAMERA}")


def _unread(files: Sequence[pathlib.Path]) -> tuple[list[str], list[str]]:
    """(doubts, notes) about the files that nothing reads."""
    media, exports, rest = [], [], []
    for path in files:
        is_media = listing.suffix(path.name) in listing.OTHER_MEDIA
        (media if is_media else exports if _is_export(path) else rest).append(path)
    doubts = []
    if media:
        doubts.append(
            f"{len(media)} pictures or videos are of a kind that is not read ({listing.kinds(media)}), the first is "
            f"'{media[0]}'; convert them to .png, .jpg or .mp4, or take them away"
        )
    if exports:
        doubts.append(
            f"{len(exports)} archives or exports of labelling tools are not read where they lie "
            f"({listing.kinds(exports)}), the first is '{exports[0]}'; put labels into {LABELS}/, unpack frames, or "
            f"take them away"
        )
    return doubts, [f"not read: {listing.kinds(rest)}, the first is '{rest[0]}'"] if rest else []


def _is_export(path: pathlib.Path) -> bool:
    """Is this an archive, or a file that a labelling tool wrote?"""
    if listing.suffix(path.name) in ARCHIVES:
        return True
    with contextlib.suppress(ValueError):
        return listing.suffix(path.name) in tools.SUFFIXES and tools.find(path) is not None
    return False


def _nothing(root: pathlib.Path, problems: Sequence[str], other: Sequence[pathlib.Path]) -> str:
    kinds = ", ".join((*listing.IMAGES, *listing.VIDEOS))
    there = f"; it has {listing.kinds(other)}" if other else ""
    more = f"; {problems[0]}" if problems else ""
    return f"'{root}' has no images and no videos ({kinds}); set data.raw_dir to the folder with them{there}{more}"
