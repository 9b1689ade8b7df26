"""Pictures of successive frames as videos, one a kind."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import cv2
import numpy as np

KINDS = {"overlay.png": "overlay", "depth_color.png": "depth", "entropy_color.png": "entropy"}  # file -> video
UNFINISHED = ".unfinished.mp4"  # ends the name of a video that is being written
FPS = 25.0  # where the input does not say


class Movies:
    """Writes them; they have their names when `close` was called."""

    def __init__(self, folder: pathlib.Path, fps: float | None):
        self._folder, self._fps, self._writers = folder, fps or FPS, {}

    def add(self, files: Mapping[str, np.ndarray]) -> None:
        """One frame."""
        for file in KINDS.keys() & files.keys():
            height, width = files[file].shape[:2]
            if file not in self._writers:
                path = str(self._folder / f"{KINDS[file]}{UNFINISHED}")
                code = cv2.VideoWriter.fourcc(*"mp4v")
                self._writers[file] = cv2.VideoWriter(path, code, self._fps, (width, height))
                if not self._writers[file].isOpened():
                    raise OSError(f"cannot write {path}: is the disk full?")
            self._writers[file].write(cv2.cvtColor(files[file], cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finishes the files."""
        for file, writer in self._writers.items():
            writer.release()
            path = self._folder / f"{KINDS[file]}{UNFINISHED}"
            path.replace(self._folder / f"{KINDS[file]}.mp4")
        self._writers = {}

    def drop(self) -> None:
        """Removes what was begun."""
        for file, writer in self._writers.items():
            writer.release()
            (self._folder / f"{KINDS[file]}{UNFINISHED}").unlink(missing_ok=True)
