"""What is predicted for images, as files: pictures of every kind, and videos of a video."""

from __future__ import annotations

import dataclasses
import pathlib

import cv2
import numpy as np

from sde_seg_jax.display import pictures
from sde_seg_jax.experiment.prediction.frames import VIDEOS, read_frames
from sde_seg_jax.experiment.prediction.model import Model
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.reporter import SILENT, Reporter

DEPTH_UNIT = 256.0  # 16-bit value of depth 1, as KITTI stores it
FPS = 25.0  # of written videos, where the input does not say


class Movies:
    """Writes pictures of successive frames as videos, one a kind."""

    KINDS = ("overlay", "depth_color")

    def __init__(self, folder: pathlib.Path, source: pathlib.Path):
        self._folder, self._writers = folder, {}
        video = cv2.VideoCapture(str(source))
        self._fps = video.get(cv2.CAP_PROP_FPS) or FPS
        video.release()

    def add(self, found: dict[str, np.ndarray]) -> None:
        """One frame."""
        for kind in self.KINDS:
            if kind in found:
                height, width = found[kind].shape[:2]
                if kind not in self._writers:
                    path = str(self._folder / f"{kind.removesuffix('_color')}.mp4")
                    code = cv2.VideoWriter.fourcc(*"mp4v")
                    self._writers[kind] = cv2.VideoWriter(path, code, self._fps, (width, height))
                self._writers[kind].write(cv2.cvtColor(found[kind], cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finishes the files."""
        for writer in self._writers.values():
            writer.release()


def write(folder: pathlib.Path, name: str, found: dict[str, np.ndarray]) -> None:
    """NAME_<kind>.png for every kind. Raises OSError that names the file if it cannot be written."""
    for kind, picture in found.items():
        path = folder / f"{name}_{kind}.png"
        stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
        if not cv2.imwrite(str(path), stored):
            raise OSError(f"cannot write {path}: is the disk full?")


def shown(found: Prediction) -> dict[str, np.ndarray]:
    """What is written of a prediction: pictures by suffix, at the image's size."""
    written = {}
    if found.classes is not None:
        written |= {"classes": found.classes, "overlay": found.overlay()}
    if found.depth is not None:
        written["depth"] = np.clip(found.depth * DEPTH_UNIT + 0.5, 1, 65535).astype(np.uint16)
        written["depth_color"] = pictures.disparity_picture(found.disparity)
    return written


def write_predictions(
    source: pathlib.Path, folder: pathlib.Path, model: Model, depth: Model | None = None, reporter: Reporter = SILENT
) -> tuple[int, list[str]]:
    """Predicts for an image, a folder or a video, depth by another network if one is given.

    Returns how many images there were, and the kinds that were written of each.
    """
    frames = read_frames(source)
    folder.mkdir(parents=True, exist_ok=True)
    movies = Movies(folder, source) if source.suffix.lower() in VIDEOS else None
    count, written = 0, {}
    for name, image in reporter.bar(frames, desc="predict", unit="img"):
        found = model.predict(image)
        if depth is not None:
            other = depth.predict(image)
            found = dataclasses.replace(found, disparity=other.disparity, depth=other.depth)
        written = shown(found)
        write(folder, name, written)
        if movies:
            movies.add(written)
        count += 1
    if movies:
        movies.close()
    return count, sorted(written)
