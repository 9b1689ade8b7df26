"""Looking at every frame of a video, once: which move enough, and whether the file is whole."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

from sde_seg_jax.data.own.remembered import remembered
from sde_seg_jax.data.raw_files import motion, video
from sde_seg_jax.data.spec import Size
from sde_seg_jax.state_files.schemas import VIDEO_LISTING

NOTED = ("times", "is_key", "kept", "size")
PATIENCE = 1.0  # seconds after which a bar shows how far looking at a clip has come


class ListedVideo:
    """The frames of a video as they are listed: time stamps, which are keyframes, indices of those that moved."""

    def __init__(self, path: pathlib.Path):
        self.path = str(path)
        self.times: list[int | None] = []
        self.is_key: list[bool] = []
        self.kept: list[int] = []
        self.size: Size | None = None
        self.tally = video.Tally()

    @property
    def damage(self) -> bool:
        """Does anything tell of a damaged file?"""
        return not self.tally.complete or bool(video.shortfall(self.path, self.times))


def list_video(name: str, path: pathlib.Path, step: int, least: float) -> ListedVideo:
    """Looks at a video, unless that was done before; `clips.open_clip` explains `step` and `least`.

    Raises:
      ValueError: it cannot be opened, or changes its size.
    """
    fresh = None

    def look() -> tuple[dict[str, Any], bool]:
        nonlocal fresh
        fresh = _look_at(name, path, step, least)
        note = {key: getattr(fresh, key) for key in NOTED}
        return note, not fresh.damage and bool(fresh.times)

    note = remembered([path], ("video", step, least), VIDEO_LISTING, look, _fits)
    if fresh is not None:  # with what came of decoding
        return fresh
    found = ListedVideo(path)
    for key in NOTED:
        setattr(found, key, note[key])
    found.size = tuple(note["size"])
    return found


def _fits(note: dict[str, Any]) -> bool:
    count = len(note["times"])
    return len(note["is_key"]) == count and all(index < count for index in note["kept"])


def _look_at(name: str, path: pathlib.Path, step: int, least: float) -> ListedVideo:
    found = _list(name, path, step, least, threads=True)
    # What threads make of a damaged file depends on their number; `video.read` uses none
    return _list(name, path, step, least, threads=False) if found.damage else found


def _list(name: str, path: pathlib.Path, step: int, least: float, threads: bool) -> ListedVideo:
    found, chooser = ListedVideo(path), motion.Chooser(least) if least else None
    for index, shown in enumerate(progress(video.shown(str(path), found.tally, threads), name, None)):
        found.size = found.size or shown.size
        if shown.size != found.size:
            raise ValueError(f"video '{path}' changes its size at frame {index}; {video.REMEDY}")
        found.times.append(shown.time)
        found.is_key.append(shown.is_key)
        if index % step == 0 and (chooser is None or chooser.keeps(shown.thumbnail())):
            found.kept.append(index)
    return found


def progress(frames: Iterable, name: str, total: int | None) -> Iterator:
    """The frames, with a bar on stderr while there are many."""
    with tqdm(desc=f"looking at {name}", total=total, unit="img", leave=False, delay=PATIENCE) as bar:
        for frame in frames:
            bar.update()
            yield frame
