"""GTA5: 24966 labeled pictures of 1914x1052 from a game, ids as Cityscapes'; no video.

Richter, Vineet, Roth, Koltun: Playing for Data: Ground Truth from Computer Games, ECCV 2016.
"""

from __future__ import annotations

import concurrent.futures
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.datasets import cityscapes
from sde_seg_jax.data.raw_files import listing, png, raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import IGNORE

LAYOUT = "images/*.png and labels/*.png of the same names, from all ten parts (see docs/data.md)"
AGAIN = "unzip all parts of the data set again, into one folder"
READERS = 16  # of headers: waiting for the disk, not computing

TRAIN_IDS = np.append(cityscapes.TRAIN_IDS, np.uint8(IGNORE))  # Cityscapes' 0..33, and 34: license plate

# Focal length / width of the same game's camera in VIPER: a placeholder, since none is published for these pictures;
# nothing here reads it.
FOCAL = 1.206285

Item = tuple[str, str]  # paths of image and label


def items(split: str, raw_dir: pathlib.Path, *, problems: raw.Problems) -> Sequence[Item]:
    """Lists all images with their labels, by name. Pairs of different sizes, which the data set has, are left out."""
    parts = sorted(raw_dir.glob("[01][0-9]_images"))
    if parts and not (raw_dir / "images").is_dir():
        raise ValueError(f"'{parts[0]}' is one part of 'gta5'; unzip all parts into one folder: {LAYOUT}")
    images, labels = _files(raw_dir, "images"), _files(raw_dir, "labels")
    names = raw.check_pairs(images, labels, AGAIN, problems)
    pairs = [(images[name], labels[name]) for name in names]
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(_sizes, pairs))
    kept = []
    for (image, label), sizes in zip(pairs, found, strict=True):
        if isinstance(sizes, str):
            problems.report(sizes)
        elif sizes[0] != sizes[1]:
            of_image, of_label = (f"{width}x{height}" for height, width in sizes)
            problems.leave_out(f"image '{image}' is {of_image} but label '{label}' is {of_label} (w x h): left out")
        else:
            kept.append((str(image), str(label)))
    return kept


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one image; ids without a training id become IGNORE."""
    image_path, label_path = map(pathlib.Path, item)
    image = raw.read_image(image_path)
    height, width = image.shape[:2]
    return {
        "image": image,
        "label": raw.train_ids(raw.read_label(label_path), TRAIN_IDS, label_path),
        "intrinsics": (FOCAL * width, FOCAL * width, (width - 1) / 2, (height - 1) / 2),
        "name": f"gta5_{image_path.stem}",  # the number alone is no readable name
        "files": {"image": image_path, "label": label_path},
    }


def _files(raw_dir: pathlib.Path, part: str) -> dict[str, pathlib.Path]:
    folder = raw.subfolder(raw_dir, part, "gta5", LAYOUT)
    found = {path.stem: path for path in listing.glob(folder, "*.png")}
    if not found:
        raise ValueError(f"'{folder}' has no files *.png; expected {LAYOUT}")
    return found


def _sizes(pair: tuple[pathlib.Path, pathlib.Path]) -> list[Size] | str:
    """(height, width) of image and label, from the headers alone; or what is wrong with one of them."""
    try:
        return [(header.height, header.width) for header in map(png.read_header, pair)]
    except ValueError as error:
        return str(error)


SPEC = DatasetSpec(
    name="gta5",
    version="1.0.0",
    space=CITYSCAPES,
    splits=("train",),
    items=items,
    load=load,
    layout=LAYOUT,
    remedies={"neighbors": "it is no video: train depth on 'viper', videos from the same game"},
)
