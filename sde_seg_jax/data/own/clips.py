"""A person's own frames: folders of images and video files as clips, thinned out by motion."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from sde_seg_jax.data.raw_files import motion, raw, video
from sde_seg_jax.data.spec import Size
from sde_seg_jax.image_files import TURNED, open_image, orientation

LABELS = "labels"  # the folder that mirrors the tree
ROOT = "images"  # name of the clip of images that lie in the raw folder itself
PATIENCE = 1.0  # seconds after which a bar shows how far looking at a clip has come
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


def find(root: pathlib.Path) -> list[tuple[str, pathlib.Path, tuple[str, ...]]]:
    """(name, path, image files) of all clips below `root`, by name; a video has no image files.

    Raises:
      ValueError: there are none, or two have one name.
    """
    found, seen = {}, set()
    for folder, folders, files in os.walk(root, followlinks=True):
        here = pathlib.Path(folder)
        known = here.resolve() in seen  # a link back up
        seen.add(here.resolve())
        folders[:] = [] if known else [f for f in folders if f[0] != "." and not (here == root and f == LABELS)]
        relative = here.relative_to(root)
        files = [file for file in files if file[0] != "."]
        images = sorted((f for f in files if pathlib.Path(f).suffix.lower() in raw.IMAGES), key=natural)
        clips = [(relative, here, tuple(images))] if images else []
        videos = [f for f in files if pathlib.Path(f).suffix.lower() in video.SUFFIXES]
        clips += [(relative / pathlib.Path(f).stem, here / f, ()) for f in videos]
        for name, path, listed in clips:
            key = name.as_posix() if name.parts else ROOT
            if key in found:
                raise ValueError(f"'{found[key][1]}' and '{path}' are clips of one name, {key!r}; rename one")
            found[key] = key, path, listed
    if not found:
        kinds = ", ".join((*raw.IMAGES, *video.SUFFIXES))
        raise ValueError(f"'{root}' has no images and no videos ({kinds}); set data.raw_dir to the folder with them")
    return [found[key] for key in sorted(found, key=natural)]


def natural(name: str) -> tuple:
    """A sort key by which frame2 comes before frame10."""
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def open_clip(
    name: str, path: pathlib.Path, images: tuple[str, ...], step: int, least: float, problems: raw.Problems
) -> Clip | None:
    """Looks at every frame of a clip; None if (with --skip-bad) none is left.

    Args:
      name, path, images: from `find`.
      step: only every step-th frame is a candidate.
      least: motion between kept frames, in percent of the width; 0 keeps all candidates.
      problems: gets unreadable files.

    Raises:
      ValueError: frames differ in size.
    """
    chooser = motion.Chooser(least)
    if not images:
        return _open_video(name, path, step, chooser if least else None, problems)
    listed, size = _readable(path, images, problems)
    if not listed:
        return None
    kept = range(0, len(listed), step)
    if least:
        large = min(size) > 2 * motion.WIDTH  # half the size is enough, and JPEG files give it in half the time
        flags = cv2.IMREAD_REDUCED_GRAYSCALE_2 if large else cv2.IMREAD_GRAYSCALE
        kept = _moved(name, list(listed.values()), kept, chooser, flags, problems)
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
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    return "".join("_" if c.isspace() or unicodedata.category(c)[0] == "C" or c in UNSAFE else c for c in text)


def _readable(folder: pathlib.Path, files: Iterable[str], problems: raw.Problems) -> tuple[dict[str, str], Size | None]:
    """Name -> path of the images of a folder, and the (height, width) that all of them have."""
    found: dict[str, str] = {}
    first = None
    for file in files:
        path, name = folder / file, pathlib.Path(file).stem
        if name in found:
            problems.report(f"'{path}' and '{found[name]}' differ in nothing but their suffix; rename one")
            continue
        try:
            size = _image_size(path)
        except ValueError as error:
            problems.report(str(error))
            continue
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


def _image_size(path: pathlib.Path) -> Size:
    """(height, width), upright, from the header of an image file."""
    try:
        with open_image(path) as image:
            turned = orientation(image) in TURNED
            return image.size if turned else image.size[::-1]
    except (*raw.BROKEN, TypeError) as error:
        raise ValueError(f"cannot read '{path}' ({error}); replace the file, then prepare again") from error


def _moved(
    name: str, frames: list[str], candidates: range, chooser: motion.Chooser, flags: int, problems: raw.Problems
) -> Iterator[int]:
    for index in _progress(candidates, name, len(candidates)):
        gray = None
        with contextlib.suppress(cv2.error):
            gray = cv2.imdecode(np.fromfile(frames[index], np.uint8), flags)
        if gray is None:
            problems.report(f"cannot read '{frames[index]}'; replace the file, then prepare again")
        elif chooser.keeps(motion.thumbnail(gray)):
            yield index


def _open_video(
    name: str, path: pathlib.Path, step: int, chooser: motion.Chooser | None, problems: raw.Problems
) -> Clip | None:
    times, is_key, size, kept = [], [], None, []
    try:
        for index, shown in enumerate(_progress(video.shown(str(path)), name, None)):
            size = size or shown.size
            if shown.size != size:
                raise ValueError(f"video '{path}' changes its size at frame {index}; {video.REMEDY}")
            times.append(shown.time)
            is_key.append(shown.is_key)
            if index % step == 0 and (chooser is None or chooser.keeps(shown.thumbnail())):
                kept.append(index)
        if not times:
            raise ValueError(f"cannot read video '{path}' (no frame of it decodes); {video.REMEDY}")
        missing = video.shortfall(str(path), times)
    except ValueError as error:
        problems.report(str(error))
        return None
    if missing:
        problems.leave_out(f"video '{path}' gives only {missing}: the others are left out; {video.REMEDY} to have all")
    names = tuple(f"{index:0{FRAME_DIGITS}d}" for index in range(len(times)))
    return Clip(name, path, size, tuple(video.frames(str(path), times, is_key)), names, tuple(kept))


def _progress(frames: Iterable, name: str, total: int | None) -> Iterator:
    """The frames, with a bar on stderr while there are many."""
    with tqdm(desc=f"looking at {name}", total=total, unit="img", leave=False, delay=PATIENCE) as bar:
        for frame in frames:
            bar.update()
            yield frame
