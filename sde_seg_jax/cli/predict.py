"""Applies a checkpoint to your images: python -m sde_seg_jax.cli.predict --checkpoint=DIR --input=PATH --output=DIR

PATH is an image, a folder of images or a video. For each image NAME it writes, by what the checkpoint predicts,
NAME_classes.png (class ids), NAME_overlay.png (class colours over the image), NAME_depth.png (16 bit, value / 256 =
depth up to one unknown scale) and NAME_depth_color.png (near is bright); for a video also overlay.mp4 and depth.mp4.
All at the input's size. With --depth_checkpoint=DIR depth comes from another checkpoint, in the same call.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import tqdm
from absl import flags as absl_flags

from sde_seg_jax.cli import build, predictors
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.cli.config import UsageError
from sde_seg_jax.cli.spaces import space_of
from sde_seg_jax.geometry.depth import disparity_to_depth
from sde_seg_jax.report import pictures

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm")
DEPTH_UNIT = 256.0  # 16-bit value of depth 1, as KITTI stores it
FPS = 25.0  # of written videos, where the input does not say


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_string("input", "", "image, folder of images or video", flag_values=values)
    absl_flags.DEFINE_string("output", "predictions", "folder to write", flag_values=values)
    absl_flags.DEFINE_string("depth_checkpoint", "", "checkpoint that predicts depth", flag_values=values)
    absl_flags.DEFINE_enum("weights", "student", ["student", "teacher"], "which weights", flag_values=values)


class Predictor:
    """Everything a list of checkpoints can say about one image."""

    def __init__(self, trained: list[build.Trained]):
        self._classes = self._disparity = None
        for one in trained:
            self.size = tuple(one.config.data.size)
            if one.network.segmentation is not None:
                self.space = space_of(one.config)
                self._classes = predictors.in_batches(predictors.class_predictor(one.network), one.variables, 1)
            if one.network.depth_decoder is not None:
                self._range = (one.config.task.get("min_depth", 0.1), one.config.task.get("max_depth", 100.0))
                self._disparity = predictors.in_batches(predictors.disparity_predictor(one.network), one.variables, 1)

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 RGB [H,W,3] of any size -> pictures by suffix, at that size."""
        height, width = image.shape[:2]
        found = {}
        if self._classes is not None:
            found["classes"] = self.classes(image)
            found["overlay"] = pictures.overlay(image, found["classes"], self.space)
        if self._disparity is not None:
            disparity = self._disparity(self._shrink(image))[0]
            disparity = cv2.resize(disparity, (width, height), interpolation=cv2.INTER_LINEAR)
            depth = np.asarray(disparity_to_depth(disparity, *self._range))
            found["depth"] = np.clip(depth * DEPTH_UNIT + 0.5, 1, 65535).astype(np.uint16)
            found["depth_color"] = pictures.disparity_picture(disparity)
        return found

    def classes(self, image: np.ndarray) -> np.ndarray:
        """uint8 RGB [H,W,3] of any size -> class ids uint8 [H,W]; of checkpoints that predict classes."""
        found = self._classes(self._shrink(image))[0]
        return cv2.resize(found, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    def _shrink(self, image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA)[None]


def read_frames(path: pathlib.Path) -> Iterator[tuple[str, np.ndarray]]:
    """(name, RGB image) of an image, of every image in a folder, or of every frame of a video.

    Raises UsageError that names the file that cannot be read.
    """
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGES)
        if not files:
            raise UsageError(f"--input={path}: no images ({', '.join(IMAGES)}) in this folder")
        for file in files:
            yield file.stem, _read_image(file)
    elif path.suffix.lower() in VIDEOS and path.is_file():
        yield from _read_video(path)
    elif path.is_file():
        yield path.stem, _read_image(path)
    else:
        raise UsageError(f"--input={path}: no such file or folder")


def _read_image(path: pathlib.Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UsageError(f"{path} is not a readable image; it may be truncated: copy it again or leave it out")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _read_video(path: pathlib.Path) -> Iterator[tuple[str, np.ndarray]]:
    video = cv2.VideoCapture(str(path))
    try:
        for number in range(sys.maxsize):
            good, frame = video.read()
            if not good:
                break
            yield f"{path.stem}_{number:06d}", cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        if not number:
            raise UsageError(f"{path} is not a readable video; convert it, for example to mp4 (H.264)")
    finally:
        video.release()


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


def main(arguments: Arguments) -> None:
    """Predicts for the command line's input."""
    if not arguments.checkpoint or not arguments.input:
        raise UsageError("cli.predict needs --checkpoint=DIR and --input=PATH")
    source, folder = pathlib.Path(arguments.input).expanduser(), pathlib.Path(arguments.output).expanduser()
    trained = [build.load_trained(arguments.checkpoint, arguments.weights)]
    if arguments.depth_checkpoint:
        trained.insert(0, build.load_trained(arguments.depth_checkpoint))
    predictor = Predictor(trained)
    frames = read_frames(source)
    folder.mkdir(parents=True, exist_ok=True)
    movies = Movies(folder, source) if source.suffix.lower() in VIDEOS else None
    count = 0
    for name, image in tqdm.tqdm(frames, desc="predict", unit="img"):
        found = predictor(image)
        write(folder, name, found)
        if movies:
            movies.add(found)
        count += 1
    if movies:
        movies.close()
    print(f"{count} image(s): {', '.join(sorted(found))} in {folder}")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
