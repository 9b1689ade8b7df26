"""A person's own frames: folders of images and video files as clips, thinned out by motion."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import unicodedata
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image, ImageOps

from sde_seg_jax.data.own.found import MIRROR, Listed, look
from sde_seg_jax.data.own.label_like import without_labels
from sde_seg_jax.data.own.listed_video import list_video, progress
from sde_seg_jax.data.own.remembered import remembered
from sde_seg_jax.data.raw_files import motion, raw, video
from sde_seg_jax.data.spec import Size
from sde_seg_jax.image_files import TURNED, open_image, orientation
from sde_seg_jax.state_files.schemas import COUNT
from sde_seg_jax.state_files.schemas import listed as listed_of
from sde_seg_jax.text_files import nfc

UNSAFE = "\\#?"  # begins a comment in lists of names, or stands for a letter that is none
FRAME_DIGITS = 6  # of a video frame's name

Frame = video.Frame | str  # of a video, or the path of an image


@dataclasses.dataclass(frozen=True)
class Clip:
    """The frames of one folder or video, in the order in which they were taken.

    Attributes:
      name: its path below the raw folder, without the suffix of a video.
      path: the folder or the video file.
      size: (height, width) of all frames.
      frames: all that can be read.
      names: of the frames, within the clip.
      kept: indices of frames far enough apart; adjacent ones are neighbors.
    """

    name: str
    path: pathlib.Path
    size: Size
    frames: tuple[Frame, ...]
    names: tuple[str, ...]
    kept: tuple[int, ...]


def find(root: pathlib.Path) -> list[Listed]:
    """The clips below `root`, by name. Raises ValueError as `found.look`."""
    return look(root).clips


def open_clip(
    name: str, path: pathlib.Path, images: tuple[str, ...], step: int, least: float, problems: raw.Problems
) -> Clip | None:
    """Looks at every frame of a clip; None if (with --skip-bad) none is left.

    Args:
      name, path, images: of `found.Listed`.
      step: only every step-th frame is a candidate.
      least: motion between kept frames, in percent of the width; 0 keeps all candidates.
      problems: gets unreadable files.

    Raises:
      ValueError: frames differ in size.
    """
    if not images:
        return _open_video(name, path, step, least, problems)
    listed, size = _readable(path, images, problems)
    if not listed:
        return None
    kept = range(0, len(listed), step)
    if least:
        large = min(size) > 2 * motion.WIDTH  # half the size is enough, and JPEG files give it in half the time
        flags = cv2.IMREAD_REDUCED_GRAYSCALE_2 if large else cv2.IMREAD_GRAYSCALE
        kept = _remember_moved(name, list(listed.values()), kept, least, flags, problems)
    return Clip(name, path, size, tuple(listed.values()), tuple(listed), tuple(kept))


def read(frame: Frame) -> np.ndarray:
    """RGB uint8 [h, w, 3], upright. Raises ValueError naming the file if it cannot be read."""
    return read_image(frame) if isinstance(frame, str) else video.read(frame)


def read_image(path: str) -> np.ndarray:
    """RGB uint8 [h, w, 3] of an image file, turned upright as its EXIF entry says."""

    def convert(image: Image.Image) -> Image.Image:
        if image.mode[0] in "IF":
            raise ValueError(f"image '{path}' has mode {image.mode}, more than 8 bits; convert it to an 8-bit image")
        return ImageOps.exif_transpose(image).convert("RGB")

    return raw.read(path, convert)


def safe_name(text: str) -> str:
    """A sample name on one line, without spaces at its ends; letters of all languages stay."""
    text = nfc(text.encode("utf-8", "replace").decode())
    return "".join("_" if c.isspace() or unicodedata.category(c)[0] == "C" or c in UNSAFE else c for c in text)


def _readable(folder: pathlib.Path, files: Sequence[str], problems: raw.Problems) -> tuple[dict[str, str], Size | None]:
    """Name -> path of the images of a folder, and the (height, width) that all of them have."""
    found: dict[str, str] = {}
    first = None
    for file in without_labels(folder, files, problems):
        path, name = folder / file, pathlib.Path(file).stem
        if name in found:
            problems.report(
                f"'{path}' and '{found[name]}' differ in nothing but their suffix; rename one, or if "
                f"it is a label, put it into {MIRROR}"
            )
            continue
        try:
            size, pages = _size_and_pages(path)
        except ValueError as error:
            problems.report(str(error))
            continue
        if pages > 1:
            problems.doubt(f"image '{path}' holds {pages} pictures, of which the first is read; save each as a file")
        first = first or (path, size)
        if size == first[1]:
            found[name] = str(path)
        else:
            here, there = (f"{width}x{height}" for height, width in (size, first[1]))
            problems.report(
                f"image '{path}' is {here} but '{first[0]}' is {there}; a folder of images is one clip of one camera: "
                f"give each size a folder of its own"
            )
    return found, first and first[1]


def _size_and_pages(path: pathlib.Path) -> tuple[Size, int]:
    """(height, width), upright, from the header of an image file, and how many pictures it holds."""
    try:
        with open_image(path) as image:
            turned = orientation(image) in TURNED
            pages = image.n_frames if image.format in ("TIFF", "WEBP", "PNG") else 1  # a phone's JPEG has previews
            return image.size if turned else image.size[::-1], pages
    except (*raw.BROKEN, TypeError) as error:
        raise ValueError(f"cannot read '{path}' ({error}); replace the file, then prepare again") from error


def _remember_moved(
    name: str, frames: list[str], candidates: range, least: float, flags: int, problems: raw.Problems
) -> list[int]:
    """`_moved`, from a note if these files were looked at before."""

    def look() -> tuple[list[int], bool]:
        before = len(problems.left_out)
        found = list(_moved(name, frames, candidates, motion.Chooser(least), flags, problems))
        return found, len(problems.left_out) == before

    options = ("images", candidates.step, least)
    return remembered(frames, options, listed_of(COUNT), look, lambda kept: all(i < len(frames) for i in kept))


def _moved(
    name: str, frames: list[str], candidates: range, chooser: motion.Chooser, flags: int, problems: raw.Problems
) -> Iterator[int]:
    for index in progress(candidates, name, len(candidates)):
        gray = None
        with contextlib.suppress(cv2.error):
            gray = cv2.imdecode(np.fromfile(frames[index], np.uint8), flags)
        if gray is None:
            gray = _gray(frames[index], problems)
        if gray is not None and chooser.keeps(motion.thumbnail(gray)):
            yield index


def _gray(path: str, problems: raw.Problems) -> np.ndarray | None:
    """Of an image file that OpenCV does not read, as some kinds of TIFF; None if Pillow does not either."""
    try:
        return cv2.cvtColor(read_image(path), cv2.COLOR_RGB2GRAY)
    except ValueError as error:
        problems.report(str(error))
        return None


def _open_video(name: str, path: pathlib.Path, step: int, least: float, problems: raw.Problems) -> Clip | None:
    try:
        listed = list_video(name, path, step, least)
        if not listed.times:
            raise ValueError(f"cannot read video '{path}' (no frame of it decodes); {video.REMEDY}")
    except ValueError as error:
        problems.report(str(error))
        return None
    frames = tuple(video.frames(str(path), listed.times, listed.is_key))
    missing = video.shortfall(str(path), listed.times[: len(frames)], listed.tally.failed)
    if missing:
        problems.leave_out(f"video '{path}' gives only {missing}: the others are left out; {video.REMEDY} to have all")
    names = tuple(f"{index:0{FRAME_DIGITS}d}" for index in range(len(frames)))
    kept = tuple(index for index in listed.kept if index < len(frames))
    return Clip(name, path, listed.size, frames, names, kept)
