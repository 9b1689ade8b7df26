"""Labels of a person's own frames: which label in `labels/` belongs to which frame."""

from __future__ import annotations

import itertools
import pathlib
import warnings
from collections.abc import Container, Sequence

from sde_seg_jax.data.annotation import tools
from sde_seg_jax.data.own import renamed
from sde_seg_jax.data.own.clips import Clip
from sde_seg_jax.data.own.found import LABELS, ROOT
from sde_seg_jax.data.own.label_files import BESIDE, KINDS, PARTS, double, look, plain
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.text_files import nfc

IMAGE = "_leftImg8bit"  # ends the name of an image of Cityscapes, but not of its labels


def keys(root: pathlib.Path, clip: Clip) -> list[str]:
    """The keys of a clip's frames: their paths below the raw folder without suffix, of a video "<video>/000012".

    In NFC, as are those of labels: a Mac writes an umlaut as two letters.
    """
    below = "" if clip.name == ROOT and clip.path == root else f"{clip.name}/"  # images of the raw folder itself
    return [nfc(below + name) for name in clip.names]


def labels_of(root: pathlib.Path, clips: Sequence[Clip], problems: raw.Problems) -> dict[str, dict[int, str]]:
    """Clip name -> {index of a frame: its label}, a path or a reference of `annotation.tools`.

    `problems` gets labels without a frame, files that nothing understands, and second labels of a frame.

    Raises:
      ValueError: `labels/` has images, but no labels.
    """
    seen = look(root)
    seen.tell(problems)
    left = dict(seen.labels)
    places: dict[str, tuple[str, int]] = {}
    for clip in clips:
        for index, key in enumerate(keys(root, clip)):
            if places.setdefault(plain(key), (clip.name, index)) != (clip.name, index):
                problems.report(f"two frames are called '{plain(key)}', in two forms of Unicode; rename one")
    frames = places.keys()
    for key in sorted(seen.hidden.keys() & frames):
        path, export = seen.hidden[key]
        problems.report(f"'{path}' lies within the export '{export}'; give that a folder of its own in {LABELS}/")
    found: dict[str, dict[int, str]] = {}
    for clip in clips:
        taken = enumerate(_take(left, plain(key), frames, problems) for key in keys(root, clip))
        here = {index: label for index, label in taken if label is not None}
        if here:
            found[clip.name] = here
    left = {key: label for key, label in left.items() if not key.endswith(BESIDE)}
    _take_renamed(left, places, found, problems)
    if left and not problems.skip:
        problems.report(_without_image(left, next(iter(keys(root, clips[0])), "") if clips else ""))
    for label in left.values():
        problems.report(f"label '{label}' has no image")
    return found


def _take(left: dict[str, str], key: str, frames: Container[str], problems: raw.Problems) -> str | None:
    """The label of a frame; it leaves `left`, and what else belongs to the frame does, too."""
    found = []
    for base in dict.fromkeys((key, key.removeprefix(f"{ROOT}/"))):  # images/ may lie beside labels/
        if base != key and base in frames:
            continue
        names = (base, *(base.removesuffix(IMAGE) + part + kind for kind in KINDS for part in PARTS))
        here = [left.pop(name) for name in names if name in left and (name == base or name not in frames)]
        # of several PNGs of Cityscapes' tools the first counts
        found += here[:1] + [label for label in here[1:] if any(map(tools.is_reference, (here[0], label)))]
    for other in found[1:]:
        problems.report(double(key, found[0], other))
    return found[0] if found else None


def _take_renamed(
    left: dict[str, str],
    places: dict[str, tuple[str, int]],
    found: dict[str, dict[int, str]],
    problems: raw.Problems,
) -> None:
    """Moves labels of a tool from `left` to `found` where the tool renamed the images, with a warning."""
    pairs = renamed.find([key for key, label in left.items() if tools.is_reference(label)], places)
    for key, frame in pairs.items():
        label, (clip, index) = left.pop(key), places[frame]
        here = found.setdefault(clip, {})
        if here.setdefault(index, label) != label:
            problems.report(double(frame, here[index], label))
    for key, frame in itertools.islice(pairs.items(), 1):
        warnings.warn(
            f"{len(pairs)} labels are found by the names of their files only, as the paths are other ones: '{key}' is "
            f"taken for frame '{frame}'; look whether that is right",
            stacklevel=2,
        )


def _without_image(left: dict[str, str], example: str) -> str:
    key, first = next(iter(left.items()))
    if not tools.is_reference(first):
        return (
            f"{len(left)} labels have no image, the first is '{first}'; {LABELS}/ mirrors the folder: a label has the "
            f"path of its image, of video.mp4 {LABELS}/video/000012.png for frame 12 (counted from 0)"
        )
    export = tools.split(first)[0]
    count = sum(tools.is_reference(label) and tools.split(label)[0] == export for label in left.values())
    return (
        f"{count} labels of '{export}' have no image, the first is that of '{key}'; a tool must have images under "
        f"their paths below the raw folder, such as '{example}', or put the images into the raw folder"
    )
