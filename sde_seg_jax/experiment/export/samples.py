"""Images to compare a written file with its network on, and to calibrate with."""

from __future__ import annotations

import pathlib

import cv2
import numpy as np
from jaxtyping import UInt8

from sde_seg_jax.data.raw_files import listing
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.graph import Size
from sde_seg_jax.experiment.prediction.frames import read_image
from sde_seg_jax.experiment.source_data import open_streams

Image = UInt8[np.ndarray, "H W 3"]
COUNT = 4  # images that are compared
CALIBRATED = 100  # images at most that are calibrated with
SEED = 0


def sample_images(trained: Trained, folder: str, calibration: str = "", count: int = COUNT) -> tuple[list[Image], str]:
    """Some images, and what they are, for people.

    Those of a folder, else of the run's validation split where it is prepared here, else of the folder that calibrates
    (which flatters), else generated ones: smooth, with edges and noise.
    """
    if folder:
        return images_in(folder, count, "--images"), f"images of {folder}"
    try:
        batch = open_streams(trained.config).examples((), count)
        return list(np.asarray(batch.image)), f"validation images of {trained.config.data.dataset}"
    except (ValueError, OSError):  # not prepared on this machine, which is no error here
        if calibration:
            return images_in(calibration, count, "--calibration"), f"images that calibrated it ({calibration})"
        return generated(tuple(trained.config.data.size), count), "generated images"


def images_in(folder: str, count: int, flag: str) -> list[Image]:
    """Up to so many images below a folder, spread evenly over it. Raises UsageError if it has none."""
    path = pathlib.Path(folder).expanduser()
    if not path.is_dir():
        raise UsageError(f"{flag}={folder}: no such folder of images")
    below = listing.tree(path, lambda _: False)
    files = [here / name for here, names in below.folders for name in names if listing.suffix(name) in listing.IMAGES]
    if not files:
        raise UsageError(f"{flag}={folder}: no images ({', '.join(listing.IMAGES)}) in this folder")
    places = np.unique(np.linspace(0, len(files) - 1, count).astype(int))
    return [read_image(files[place]) for place in places]


def generated(size: Size, count: int) -> list[Image]:
    """Images that look like nothing, but have smooth parts, edges and noise; always the same ones."""
    random = np.random.default_rng(SEED)
    found = []
    for _ in range(count):
        coarse = random.uniform(0, 255, (4, 6, 3)).astype(np.float32)
        smooth = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        edges = cv2.resize(coarse[::-1], size[::-1], interpolation=cv2.INTER_NEAREST)
        mixed = np.where(random.uniform(size=(*size, 1)) < 0.5, smooth, edges) + random.normal(0, 8, (*size, 3))
        found.append(np.clip(mixed, 0, 255).astype(np.uint8))
    return found


def fitted(images: list[Image], size: Size | None) -> list[Image]:
    """The images at the size that a file takes; as they are where it takes any."""
    if size is None:
        return images
    return [cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA) for image in images]
