"""Label spaces: class names and colours, in training-id order. Ids outside 0..C-1 other than IGNORE are errors."""

from __future__ import annotations

import dataclasses

import numpy as np

from sde_seg_jax.types import IGNORE


@dataclasses.dataclass(frozen=True)
class LabelSpace:
    """An ordered list of classes. `ignore` marks pixels without ground truth."""

    name: str
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]  # RGB, one a class
    ignore: int = IGNORE

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.classes)

    def colorize(self, label: np.ndarray) -> np.ndarray:
        """Turns ids [..., H, W] into RGB uint8 [..., H, W, 3]; ignored pixels are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: self.num_classes] = self.colors
        return table[label]


CITYSCAPES = LabelSpace(
    name="cityscapes",
    classes=(
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ),
    colors=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
)

CAMVID = LabelSpace(
    name="camvid",
    classes=(
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign symbol",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    ),
    colors=(
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
)

SPACES = {space.name: space for space in (CITYSCAPES, CAMVID)}
