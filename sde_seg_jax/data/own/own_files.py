"""A person's own files: looks at all frames and labels once, for all splits of one preparation."""

from __future__ import annotations

import functools
import os
import pathlib

from sde_seg_jax.data.own import clips, label_files, own_labels
from sde_seg_jax.data.own.clip_labels import labels_of
from sde_seg_jax.data.own.clips import Clip
from sde_seg_jax.data.own.found import look
from sde_seg_jax.data.raw_files import raw

Labels = dict[str, dict[int, str]]  # clip name -> {index of a frame: its label, a path or a reference}


def open_folder(root: pathlib.Path, step: int, least: float, problems: raw.Problems) -> tuple[tuple[Clip, ...], Labels]:
    """The clips that can be read and their labels; `clips.open_clip` explains `step` and `least`.

    Raises:
      ValueError: nothing can be read, or a file is bad and `problems` does not skip such files.
    """
    found = look(root)
    files = [str(path / image) for _, path, images in found.clips for image in images or ("",)]
    stats = (os.stat(file) for file in files)
    state = hash(tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in zip(files, stats, strict=True)))
    found.tell(problems)
    opened, labels, notes = _open(root, step, least, problems.skip, state, label_files.state(root))
    for kind, message in notes:
        getattr(problems, kind)(message)
    if not opened:
        raise ValueError(f"no image and no video of '{root}' can be read; the first problem: {notes[0][1]}")
    return opened, labels


class _Notes(raw.Problems):
    """Remembers what was said about files, to tell it for every split."""

    def __init__(self, *, skip: bool):
        super().__init__(skip=skip)
        self.said: list[tuple[str, str]] = []

    def report(self, message: str) -> None:
        super().report(message)
        self.said.append(("report", message))

    def leave_out(self, message: str) -> None:
        self.said.append(("leave_out", message))

    def doubt(self, message: str) -> None:
        self.said.append(("doubt", message))

    def note(self, message: str) -> None:
        self.said.append(("note", message))


@functools.lru_cache(maxsize=1)
def _open(root: pathlib.Path, step: int, least: float, skip: bool, *state: int):
    del state  # of the files: when they change, they are looked at again
    notes = _Notes(skip=skip)
    found = [clips.open_clip(*clip, step, least, notes) for clip in clips.find(root)]
    opened = tuple(clip for clip in found if clip is not None)
    labels = labels_of(root, opened, notes)
    if labels and not skip:
        first = next(clip for clip in opened if clip.name in labels)
        own_labels.check_kind(next(iter(labels[first.name].values())), first.size)  # is told before hours of work
    return opened, labels, tuple(notes.said)
