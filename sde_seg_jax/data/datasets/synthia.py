"""SYNTHIA-RAND-CITYSCAPES: 9400 labeled pictures of 1280x760 from a virtual city, 19, 16 or 13 classes; no video.

Ros, Sellart, Materzynska, Vazquez, Lopez: The SYNTHIA Dataset, CVPR 2016. Its videos are `synthia_video`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.datasets import gta5
from sde_seg_jax.data.raw_files import listing, png, raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.label_spaces import CITYSCAPES, subset_ids
from sde_seg_jax.types import IGNORE

LAYOUT = "RGB/*.png and GT/LABELS/*.png of the same names (see docs/data.md)"

RAW_IDS = 23  # 0..22
TRAIN_IDS = np.full(RAW_IDS, IGNORE, np.uint8)
# Raw ids of Cityscapes' 19 classes, as published. Ignored are void (0), parking slots (13), road works (14) and lane
# markings (22).
TRAIN_IDS[[3, 4, 2, 21, 5, 7, 15, 9, 6, 16, 1, 10, 17, 8, 18, 19, 20, 12, 11]] = range(CITYSCAPES.num_classes)

# What the option `labels` allows: the files as downloaded, or ids of Cityscapes in 8 bits, and how those are named
RAW16, TRAIN, LABEL = "raw16", "train_ids", "label_ids"
ENDINGS = {RAW16: ("",), TRAIN: ("_labelTrainIds", ""), LABEL: ("_labelIds", "")}
VOID = (IGNORE, 255)  # training ids of pixels without a class

# The camera of SYNTHIA's videos, focal length / width: a placeholder, since none is published for these pictures;
# nothing here reads it.
FOCAL = 0.4162034

Item = tuple[str, str, str, int]  # paths of image and label; options `labels` and `classes`


def items(
    split: str, raw_dir: pathlib.Path, *, problems: raw.Problems, labels: str, label_folder: str, classes: int
) -> Sequence[Item]:
    """Lists all images with their labels, by name.

    Options:
      labels: "raw16" (as downloaded), or "train_ids" / "label_ids": 8-bit PNG with Cityscapes' ids.
      label_folder: where they are.
      classes: 19, or 16 or 13: the others are ignored.
    """
    if labels not in ENDINGS:
        raise ValueError(f"option labels={labels!r} of 'synthia' is unknown; known: {', '.join(map(repr, ENDINGS))}")
    subset_ids(CITYSCAPES, classes)  # fails early
    images = _files(raw_dir, "RGB", "")
    found = next(filter(None, (_files(raw_dir, label_folder, ending) for ending in ENDINGS[labels])), {})
    for folder, there in (("RGB", images), (label_folder, found)):
        if not there:
            raise ValueError(f"'{raw_dir / folder}' has no files <number>.png; expected {LAYOUT}")
    names = raw.check_pairs(images, found, "unpack SYNTHIA_RAND_CITYSCAPES again", problems)
    return [(str(images[name]), str(found[name]), labels, classes) for name in names]


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one image; classes that are not among the chosen ones become IGNORE."""
    image_path, label_path, labels, classes = pathlib.Path(item[0]), pathlib.Path(item[1]), *item[2:]
    image = raw.read_image(image_path)
    height, width = image.shape[:2]
    label = read_label(label_path, labels)
    return {
        "image": image,
        "label": np.where(np.isin(label, subset_ids(CITYSCAPES, classes)), label, np.uint8(IGNORE)),
        "intrinsics": (FOCAL * width, FOCAL * width, (width - 1) / 2, (height - 1) / 2),
        "name": f"synthia_{image_path.stem}",  # the number alone is no readable name
        "files": {"image": image_path, "label": label_path},
    }


def read_label(path: pathlib.Path, labels: str) -> np.ndarray:
    """Training ids uint8 [h, w] of a label file of the given kind.

    Raises:
      ValueError: the file is of another kind (nothing is guessed), or broken.
    """
    header = png.read_header(path)
    if labels == RAW16:
        if (header.bits, header.color_type) != (16, png.RGB):
            raise ValueError(
                f"label '{path}' is no 16-bit RGB PNG, as SYNTHIA-RAND-CITYSCAPES has them; if it holds Cityscapes' "
                f"ids, set the option labels='train_ids' or labels='label_ids' (config.dataset.labels)"
            )
        return raw.train_ids(png.read_16_bit_rgb(path)[..., 0], TRAIN_IDS, path)
    if header.bits > 8:
        raise ValueError(
            f"label '{path}' has {header.bits} bits; set the option labels='raw16' (config.dataset.labels)"
        )
    ids = raw.read_label(path)
    if labels == LABEL:
        return raw.train_ids(np.where(ids == 255, np.uint8(0), ids), gta5.TRAIN_IDS, path)  # -1 in 8 bits: no class
    void = np.isin(ids, VOID)
    known = raw.train_ids(np.where(void, np.uint8(0), ids), np.arange(CITYSCAPES.num_classes), path)
    return np.where(void, np.uint8(IGNORE), known)


def _files(raw_dir: pathlib.Path, part: str, ending: str) -> dict[str, pathlib.Path]:
    """Number -> file `<number><ending>.png`."""
    folder = raw.subfolder(raw_dir, part, "synthia", LAYOUT)
    found = {path.stem.removesuffix(ending): path for path in listing.glob(folder, f"*{ending}.png")}
    return {number: path for number, path in found.items() if number.isdecimal()}


SPEC = DatasetSpec(
    name="synthia",
    version="1.0.0",
    space=CITYSCAPES,
    splits=("train",),
    items=items,
    load=load,
    options={"labels": RAW16, "label_folder": "GT/LABELS", "classes": CITYSCAPES.num_classes},
    layout=LAYOUT,
    remedies={"neighbors": "it is no video: train depth on 'synthia_video'"},
)
