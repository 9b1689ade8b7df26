"""What is predicted for images, as files: pictures of every kind, and videos of a video."""

from __future__ import annotations

import dataclasses
import pathlib

import cv2
import numpy as np

from sde_seg_jax.display import pictures
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.prediction.frames import frame_rate, read_frames
from sde_seg_jax.experiment.prediction.model import Model
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.experiment.prediction.sources import Source, find_sources
from sde_seg_jax.reporter import SILENT, Reporter

DEPTH_UNIT = 256.0  # 16-bit value of depth 1, as KITTI stores it
FPS = 25.0  # of written videos, where the input does not say


class Movies:
    """Writes pictures of successive frames as videos, one a kind."""

    KINDS = ("overlay", "depth_color")

    def __init__(self, folder: pathlib.Path, fps: float):
        self._folder, self._fps, self._writers = folder, fps, {}

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


@dataclasses.dataclass
class Written:
    """What came of a call.

    Attributes:
      count: images and frames that were predicted.
      kinds: what was written of each.
      files: how many images and videos there were.
      bad: a message for each of them that could not be read.
      other: files that are neither.
    """

    count: int = 0
    kinds: tuple[str, ...] = ()
    files: int = 0
    bad: list[str] = dataclasses.field(default_factory=list)
    other: list[pathlib.Path] = dataclasses.field(default_factory=list)


def write_predictions(
    source: pathlib.Path, folder: pathlib.Path, model: Model, depth: Model | None = None, reporter: Reporter = SILENT
) -> Written:
    """Predicts for an image, a video, or all that are below a folder; depth by another network if one is given.

    A file in a folder that cannot be read is noted and passed over. Raises UsageError if there is nothing to predict,
    or a single file cannot be read.
    """
    sources = find_sources(source, folder)
    folder.mkdir(parents=True, exist_ok=True)
    done = Written(files=len(sources.found) + len(sources.broken), other=sources.other)
    done.bad += [f"{link} is a link that leads nowhere" for link in sources.broken]
    with reporter.bar(desc="predict", unit="img") as bar:
        for one in sources.found:
            try:
                _predict(one, folder / one.folder, model, depth, done, reporter, bar.update)
            except UsageError as error:
                if source.is_file():
                    raise
                done.bad.append(str(error))
    return done


def _predict(
    source: Source, folder: pathlib.Path, model: Model, depth: Model | None, done: Written, reporter: Reporter, update
) -> None:
    """Writes what is predicted for one file."""
    movies = None
    if source.is_video:
        movies = Movies(folder, frame_rate(source.path) or FPS)
    try:
        for name, image in read_frames(source, reporter.warn):
            found = model.predict(image)
            if depth is not None:
                other = depth.predict(image)
                found = dataclasses.replace(found, disparity=other.disparity, depth=other.depth)
            written = shown(found)
            folder.mkdir(parents=True, exist_ok=True)
            write(folder, name, written)
            if movies:
                movies.add(written)
            done.count, done.kinds = done.count + 1, tuple(sorted(written))
            update()
    finally:
        if movies:
            movies.close()
