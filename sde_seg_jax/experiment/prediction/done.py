"""Which files are predicted, noted one by one in the output, so that a call that was stopped can go on.

The first line says how they were predicted: a folder never mixes two networks, or two protocols. A note is believed
only while all results that it speaks of are there.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import IO, Any

from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.movies import KINDS
from sde_seg_jax.experiment.prediction.outputs import OUTPUTS
from sde_seg_jax.experiment.prediction.sources import Source
from sde_seg_jax.state_files.reading import DamagedFile, read_lines
from sde_seg_jax.state_files.schemas import PREDICTED
from sde_seg_jax.state_files.writing import write_text

FILE = "predictions.jsonl"
REMEDY = "delete it and leave --resume out"


class Done:
    """The notes of an output folder."""

    def __init__(self, folder: pathlib.Path, head: Mapping[str, Any], kinds: Sequence[str] = (), *, resume: bool):
        """Goes on with the notes that there are if `resume`, else begins new ones.

        `head` is the first line: {"settings": what must be the same to go on, ...}; `kinds`: outputs that are written.
        Raises UsageError if the notes are damaged or of other settings.
        """
        self._path, self._kinds, self._files = folder / FILE, kinds, {}
        self._there: dict[pathlib.Path, set[str]] = {}
        lines = _lines(self._path) if resume else []
        if lines:
            self._compare(lines[0].get("settings", {}), head["settings"])
            self._files = {tuple(line["file"]): line for line in lines[1:] if {*line} >= {"file", "frames"}}
        lines = [head, *(self._files[file] for file in sorted(self._files))]
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in lines))  # a line may have been cut off
        self._file: IO[str] = self._path.open("a", encoding="utf-8")

    def has(self, source: Source) -> bool:
        """Is this file predicted, has it not changed since, and is everything there that was written of it?"""
        line, there = self._files.get(_key(source), {}), self._written(self._path.parent / source.folder)
        frames = line.get("frames")
        if frames is None or frames > len(there):
            return False
        names = [f"{source.name}_{frame:06d}" for frame in range(frames)] if source.is_video else [source.name]
        endings = [ending for kind in self._kinds for ending in OUTPUTS[kind].files]
        wanted = {f"{name}_{ending}" for name in names for ending in endings}
        if source.is_video:
            wanted |= {f"{KINDS[ending]}.mp4" for ending in endings if ending in KINDS}
        return wanted <= there

    def note(self, source: Source, frames: int = 1, flicker: Mapping[str, float] | None = None) -> None:
        """Everything of this file is written; of a video that are so many frames, which flicker so much."""
        line = {"file": list(_key(source)), "frames": frames, **({"flicker": flicker} if flicker else {})}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Ends the notes."""
        self._file.close()

    def _written(self, folder: pathlib.Path) -> set[str]:
        """Names of what is in a folder and not empty, looked up once."""
        if folder not in self._there:
            with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
                self._there[folder] = {entry.name for entry in entries if entry.is_file() and entry.stat().st_size}
        return self._there.setdefault(folder, set())

    def _compare(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        for key in {**before, **now}:
            old, new = before.get(key), now.get(key)
            if old != new:
                raise UsageError(
                    f"--resume: {self._path.parent} was predicted otherwise ({key}: {old} then, {new} now); give "
                    f"another --output, or leave --resume out to predict all again"
                )


def head_of(folder: pathlib.Path) -> dict[str, Any]:
    """The first line of an output's notes; {} if there are none. Raises UsageError for damaged ones."""
    return next(iter(_lines(folder / FILE)), {})


def _lines(path: pathlib.Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        return read_lines(path, PREDICTED, REMEDY)
    except DamagedFile as error:
        raise UsageError(str(error)) from error


def _key(source: Source) -> tuple[str, str, int, int]:
    """The file, where its results are, and what tells whether it has changed."""
    stat = source.path.stat()
    return (source.folder / source.name).as_posix(), source.path.name, stat.st_size, stat.st_mtime_ns // 1000
