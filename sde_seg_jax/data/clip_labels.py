"""Labels of a person's own frames: which PNG in `labels/` belongs to which frame."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from sde_seg_jax.data import raw
from sde_seg_jax.data.clips import IMAGES, LABELS, ROOT, Clip, natural

SUFFIX = ".png"


def find_labels(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Path below `labels/` without suffix -> file, in natural order; {} without that folder.

    Raises:
      ValueError: the folder has images, but no PNG.
    """
    folder = root / LABELS
    files = [path for path in folder.rglob("*") if path.name[0] != "." and path.is_file()]
    found = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files if _suffix(path) == SUFFIX}
    others = [path for path in files if _suffix(path) != SUFFIX and _suffix(path) in IMAGES]
    if others and not found:
        raise ValueError(f"'{others[0]}' is no PNG; labels are PNGs of ids or colors: are images and labels swapped?")
    return {name: found[name] for name in sorted(found, key=natural)}


def labels_of(root: pathlib.Path, clips: Sequence[Clip], problems: raw.Problems) -> dict[str, dict[int, str]]:
    """Clip name -> {index of a frame: path of its label}. A label without a frame is a problem."""
    left = find_labels(root)
    found: dict[str, dict[int, str]] = {}
    for clip in clips:
        # images of the raw folder itself have their labels in labels/ itself
        below = "" if clip.name == ROOT and clip.path == root else f"{clip.name}/"
        here = {i: str(left.pop(below + name)) for i, name in enumerate(clip.names) if below + name in left}
        if here:
            found[clip.name] = here
    if left and not problems.skip:
        first = next(iter(left.values()))
        problems.report(
            f"{len(left)} labels have no image, the first is '{first}'; {LABELS}/ mirrors the folder: a label has the "
            f"path of its image, of video.mp4 {LABELS}/video/000012.png for frame 12 (counted from 0)"
        )
    for path in left.values():
        problems.report(f"label '{path}' has no image")
    return found


def _suffix(path: pathlib.Path) -> str:
    return path.suffix.lower()
