"""VIPER: videos of 1920x1080 from a game at 15 Hz with labels of 31 classes, from which 18 of Cityscapes follow.

Richter, Hayder, Koltun: Playing for Benchmarks, ICCV 2017. Files as downloaded: `<sequence>_<frame>`.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.raw_files import colors, listing, png, raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.image_files import open_image
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import IGNORE

LAYOUT = "{train,val}/img/<sequence>/*.jpg or *.png and {train,val}/cls/<sequence>/*.png (see docs/data.md)"
VIDEO = "video"  # split of all train frames that have both neighbors
VIDEO_FOLDER = "train"
REMEDY = "download every package of train/img, not only those of every 10th frame"

# Normalised by width and height, as published; the principal point is the image's centre.
FOCAL = (1.206285, 2.144507)

# Colors of the classes by raw id 0..31, from the data set's classes.csv. Those of Cityscapes become its classes, by
# color as published: infrastructure (10) counts as pole, animal (21) has the color of rider.
CLASS_COLORS = (
    *((0, 0, 0), (111, 74, 0), (70, 130, 180), (128, 64, 128), (244, 35, 232), (230, 150, 140), (152, 251, 152)),
    *((87, 182, 35), (35, 142, 35), (70, 70, 70), (153, 153, 153), (190, 153, 153), (150, 20, 20), (250, 170, 30)),
    *((220, 220, 0), (180, 180, 100), (173, 153, 153), (168, 153, 153), (81, 0, 21), (81, 0, 81), (220, 20, 60)),
    *((255, 0, 0), (119, 11, 32), (0, 0, 230), (0, 0, 142), (0, 80, 60), (0, 60, 100), (0, 0, 70), (0, 0, 90)),
    *((0, 80, 100), (0, 100, 100), (50, 0, 90)),
)
VEGETATION = CITYSCAPES.classes.index("vegetation")
COLORS = {  # color -> training id
    **dict.fromkeys(CLASS_COLORS, IGNORE),
    **{color: train_id for train_id, color in enumerate(CITYSCAPES.colors)},
    (87, 182, 35): VEGETATION,  # tree
    (35, 142, 35): VEGETATION,
}
TRAIN_IDS = np.array([COLORS[color] for color in CLASS_COLORS], np.uint8)

FRAME = re.compile(r"(?P<sequence>.+)_(?P<number>\d+)")  # 001_00001

Item = tuple[str, str | None, tuple[str, ...]]  # paths of image, label (or None) and neighbors


def items(split: str, raw_dir: pathlib.Path, *, problems: raw.Problems, sequence_step: int) -> Sequence[Item]:
    """Lists the labeled frames of a split; "video": every `sequence_step`-th frame of train with both neighbors.

    Labeled frames have their neighbors if any of them has both; then those that lack one are left out.
    """
    folder = VIDEO_FOLDER if split == VIDEO else split
    images = _images(raw_dir, folder, problems)
    if split == VIDEO:
        return _video_items(images, _labels(raw_dir, folder, needed=False), raw_dir, sequence_step)
    labels = _labels(raw_dir, folder, needed=True)
    for name in sorted(labels.keys() - images.keys()):
        problems.report(f"label '{labels[name]}' has no image; unpack the packages of {folder}/img again")
    names = sorted(labels.keys() & images.keys())
    near = {name: _neighbors(images, name) for name in names}
    kept = [name for name in names if near[name]] or names
    lost = sorted(set(names) - set(kept))
    if lost:
        problems.leave_out(
            f"{len(lost)} of {len(names)} labeled frames of '{raw_dir / folder}' lack the frame before or after them, "
            f"the first is '{images[lost[0]]}': left out"
        )
    return [(str(images[name]), str(labels[name]), near[name]) for name in kept]


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one frame; classes that Cityscapes lacks become IGNORE."""
    image_path, label_path, neighbor_paths = item
    image = raw.read_image(pathlib.Path(image_path))
    height, width = image.shape[:2]
    example = {
        "image": image,
        "label": None if label_path is None else read_label(pathlib.Path(label_path)),
        "intrinsics": (FOCAL[0] * width, FOCAL[1] * height, (width - 1) / 2, (height - 1) / 2),
        "name": pathlib.Path(image_path).stem,
        "files": {"image": image_path, "label": label_path, "neighbors": neighbor_paths},
    }
    if neighbor_paths:
        example["neighbors"] = [raw.read_image(pathlib.Path(path)) for path in neighbor_paths]
    return example


def read_label(path: pathlib.Path) -> np.ndarray:
    """Training ids uint8 [h, w] of class ids (as classes.csv numbers them) or of class colors.

    A palette PNG counts by its colors if they are all VIPER's, else by its ids.
    """
    kind = png.read_header(path).color_type
    if kind == png.RGB:
        return colors.read_train_ids(path, COLORS)
    ids = raw.read_label(path)
    if kind == png.PALETTE:
        palette, used = _palette(path), np.unique(ids)
        if used[-1] < len(palette) and all(palette[index] in COLORS for index in used):
            table = np.full(256, IGNORE, np.uint8)
            table[used] = [COLORS[palette[index]] for index in used]
            return table[ids]
    return raw.train_ids(ids, TRAIN_IDS, path)


def _palette(path: pathlib.Path) -> list[colors.Color]:
    with open_image(path, png.FORMATS) as image:
        values = image.getpalette("RGB")
    return list(zip(values[::3], values[1::3], values[2::3], strict=True))


def _images(raw_dir: pathlib.Path, split: str, problems: raw.Problems) -> dict[str, pathlib.Path]:
    """Frame name -> file; where a frame is there as JPEG and as PNG, the PNG."""
    folder = raw.subfolder(raw_dir, f"{split}/img", "viper", LAYOUT)
    found = {path.stem: path for ending in ("jpg", "png") for path in listing.glob(folder, f"*/*.{ending}")}
    if not found:
        raise ValueError(f"'{folder}' has no files '<sequence>/*.jpg' or '.png'; expected {LAYOUT}")
    for name in [name for name in found if not FRAME.fullmatch(name)]:
        problems.report(f"'{found.pop(name)}' is not named <sequence>_<frame>, as VIPER's frames are; take it away")
    return found


def _labels(raw_dir: pathlib.Path, split: str, *, needed: bool) -> dict[str, pathlib.Path]:
    if not needed and not (raw_dir / split / "cls").is_dir():
        return {}
    folder = raw.subfolder(raw_dir, f"{split}/cls", "viper", LAYOUT, f"download the packages of {split}/cls")
    found = {path.stem: path for path in listing.glob(folder, "*/*.png")}
    if needed and not found:
        raise ValueError(f"'{folder}' has no files '<sequence>/*.png'; expected {LAYOUT}")
    return found


def _video_items(images, labels, raw_dir: pathlib.Path, sequence_step: int) -> list[Item]:
    if sequence_step < 1:
        raise ValueError(f"sequence_step is {sequence_step}; expected 1 (every frame) or more")
    found = []
    for name, image in sorted(images.items()):
        neighbors = _neighbors(images, name)
        if neighbors:
            found.append((str(image), str(labels[name]) if name in labels else None, neighbors))
    if not found:
        raise ValueError(f"no frame in '{raw_dir / VIDEO_FOLDER / 'img'}' has both neighbors; {REMEDY}")
    return found[::sequence_step]


def _neighbors(frames: Mapping[str, pathlib.Path], name: str) -> tuple[str, ...]:
    """Files of the frames before and after, or () unless both are there."""
    sequence, number = FRAME.fullmatch(name).groups()
    near = [frames.get(f"{sequence}_{int(number) + offset:0{len(number)}d}") for offset in (-1, 1)]
    return tuple(map(str, near)) if all(near) else ()


SPEC = DatasetSpec(
    name="viper",
    version="1.0.0",
    space=CITYSCAPES,
    splits=("train", "val", VIDEO),
    items=items,
    load=load,
    fields=("neighbors", "label"),
    options={"sequence_step": 1},
    layout=LAYOUT,
    remedies={"neighbors": f"{REMEDY}, and prepare again, into another prepared_dir"},
)
