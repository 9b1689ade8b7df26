"""Which files below a folder are frames, videos or labels, and which nothing reads: the one list for every command."""

from __future__ import annotations

import collections
import os
import pathlib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".webm")
SMEARED = (".jpg", ".jpeg")  # labels that have lost their exact values, read with a warning
LABELS = (".png", ".bmp", ".tif", ".tiff", *SMEARED)
# Pictures and videos that a person may believe to be read.
OTHER_MEDIA = (
    *(".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".psd", ".tga", ".ppm", ".pgm", ".pnm", ".exr", ".hdr"),
    *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".bayer"),
    *(".wmv", ".flv", ".3gp", ".3g2", ".mpe", ".m2v", ".mp2", ".vob", ".ogv", ".mxf", ".asf", ".divx", ".dv", ".insv"),
    *(".lrv", ".360", ".h264", ".264", ".h265", ".265", ".hevc", ".bag", ".svo"),
)
# What systems leave behind, besides names that begin with a dot; in small letters.
LEFT_BEHIND = (
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information"),
    *("@eadir", "lost+found"),
)
LABEL_WORDS = (
    *("label", "labels", "mask", "masks", "annotation", "annotations", "annot", "gt", "groundtruth"),
    *("segmentation", "segmentations", "semantic", "labelid", "labelids"),
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
LABEL_NAME = re.compile(  # of a picture beside its frame: 12_mask, frame1-label, x_gtFine_labelIds
    r"(?P<frame>.+?)[ _.-]((gt(Fine|Coarse)?|label|mask|seg|semantic|instance)[ _.-]?)?"
    r"(masks?|labels?|gt|seg|segmentation|annot|annotation|ground_?truth|semantic|(label|labelTrain|instance)Ids?)",
    re.IGNORECASE,
)


class Tree(NamedTuple):
    """What is below a folder.

    Attributes:
      folders: each with the names of its files, in natural order; hidden ones are left out, every folder is in it once.
      again: (link, the same folder as it is listed).
      refused: folders that were not entered.
      broken: links that lead nowhere.
    """

    folders: list[tuple[pathlib.Path, list[str]]]
    again: list[tuple[pathlib.Path, pathlib.Path]]
    refused: list[pathlib.Path]
    broken: list[pathlib.Path]


def tree(root: pathlib.Path, enter: Callable[[pathlib.Path], bool] = lambda folder: True) -> Tree:
    """Looks through a folder and those that links in it lead to, where a folder's own place counts before a link.

    Raises:
      ValueError: a folder may not be read, naming it.
    """
    found, again, refused, broken = [], [], [], []
    seen: dict[object, pathlib.Path] = {}
    waiting = collections.deque([root])  # links wait behind all that is reached without them
    while waiting:
        here = waiting.popleft()
        first = seen.setdefault(identity(here), here)
        if first is not here:
            again.append((here, first))
            continue
        try:
            names = sorted((name for name in os.listdir(here) if not is_hidden(name)), key=natural)
        except OSError as error:
            raise ValueError(f"cannot look into '{here}' ({error.strerror}); change its permissions") from error
        found.append((here, [name for name in names if (here / name).is_file()]))
        broken += [here / name for name in names if not (here / name).exists()]
        entered = []
        for folder in (here / name for name in names if (here / name).is_dir()):
            (entered if enter(folder) else refused).append(folder)
        waiting.extendleft(reversed([folder for folder in entered if not folder.is_symlink()]))
        waiting.extend(folder for folder in entered if folder.is_symlink())
    return Tree(found, again, refused, broken)


def glob(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """As `folder.glob`, without what is hidden."""
    return [path for path in folder.glob(pattern) if not any(map(is_hidden, path.relative_to(folder).parts))]


def identity(path: pathlib.Path) -> object:
    """Equal for one file or folder under two names."""
    stat = os.stat(path)
    return (stat.st_dev, stat.st_ino) if stat.st_ino else path.resolve()


def is_hidden(name: str) -> bool:
    """Is this a file or folder that a system left behind, not a person?"""
    return name[0] == "." or name.lower() in LEFT_BEHIND


def suffix(name: str) -> str:
    """In small letters: of "A.PNG" .png."""
    return os.path.splitext(name)[1].lower()


def called_labels(folder: str) -> bool:
    """Is this what people call a folder of labels, and nothing else: Labels, masks, gt, ground_truth?"""
    words = _words(folder)
    return bool(words) and ("".join(words) in LABEL_WORDS or set(words) <= set(LABEL_WORDS))


def may_be_labels(folder: str) -> bool:
    """Does the name begin or end as that of a folder of labels does: gtFine, train_annotations, SegmentationClass?"""
    words = _words(folder)
    return called_labels(folder) or not {*words[:1], *words[-1:]}.isdisjoint(LABEL_WORDS)


def frame_of_label(stem: str) -> str | None:
    """The frame of a picture that is called a label of it, of "12_mask" "12"; None: it is not called so."""
    match = LABEL_NAME.fullmatch(stem)
    return match and match["frame"]


def kinds(files: Iterable[str | os.PathLike]) -> str:
    """How many there are of each suffix, as "3 .heic, 1 .txt"."""
    count = collections.Counter(suffix(os.fspath(file)) or "without suffix" for file in files)
    return ", ".join(f"{number} {kind}" for kind, number in count.most_common())


def natural(name: str) -> tuple:
    """A sort key by which frame2 comes before frame10."""
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def _words(name: str) -> list[str]:
    return [word.lower() for word in WORD.findall(name)]
