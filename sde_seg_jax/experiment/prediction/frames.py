"""Images and videos that a person wants predictions for."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import UInt8

from sde_seg_jax.experiment.config import UsageError

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm")


def read_frames(path: pathlib.Path) -> Iterator[tuple[str, np.ndarray]]:
    """(name, RGB image) of an image, of every image in a folder, or of every frame of a video.

    Raises UsageError that names the file that cannot be read.
    """
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGES)
        if not files:
            raise UsageError(f"--input={path}: no images ({', '.join(IMAGES)}) in this folder")
        for file in files:
            yield file.stem, read_image(file)
    elif path.suffix.lower() in VIDEOS and path.is_file():
        yield from _read_video(path)
    elif path.is_file():
        yield path.stem, read_image(path)
    else:
        raise UsageError(f"--input={path}: no such file or folder")


def read_image(path: pathlib.Path) -> UInt8[np.ndarray, "H W 3"]:
    """An image file as RGB. Raises UsageError that names it."""
    if not path.is_file():
        raise UsageError(f"{path}: no such image file")
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
