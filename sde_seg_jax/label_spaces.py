"""Label spaces: class names and colours, in training-id order. Ids outside 0..C-1 other than IGNORE are errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

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
        table[: self.num_classes] = np.reshape(self.colors, (-1, 3))
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

# Classes that comparisons on SYNTHIA, which lacks or hardly shows the others, leave out of Cityscapes' 19.
_WITHOUT_16 = ("terrain", "truck", "train")
_WITHOUT = {CITYSCAPES.num_classes: (), 16: _WITHOUT_16, 13: (*_WITHOUT_16, "wall", "fence", "pole")}
SUBSETS = {  # size -> training ids
    count: tuple(i for i, name in enumerate(CITYSCAPES.classes) if name not in without)
    for count, without in _WITHOUT.items()
}


def subset_ids(space: LabelSpace, count: int) -> tuple[int, ...]:
    """Training ids of the `count` classes (19, 16 or 13) of Cityscapes' label space.

    Raises:
      ValueError: there is no such subset of this space.
    """
    if space != CITYSCAPES:
        raise ValueError(f"label space {space.name!r} has no subset of {count} classes; only 'cityscapes' has subsets")
    if count not in SUBSETS:
        raise ValueError(f"there is no subset of {count} classes; known: {', '.join(map(str, SUBSETS))}")
    return SUBSETS[count]


def subsets(space: LabelSpace, counts: int | Sequence[int] | None) -> dict[int, tuple[int, ...]]:
    """Training ids of several subsets by their size: `counts` is one of them or several; 0, () and None are none."""
    several = (counts,) if isinstance(counts, int) else counts
    return {count: subset_ids(space, count) for count in several or () if count}


def _space(name: str, table: str) -> LabelSpace:
    """Reads "class rrggbb; class rrggbb; ..."."""
    rows = [row.strip().rsplit(" ", 1) for row in table.split(";")]
    return LabelSpace(name, tuple(row[0] for row in rows), tuple(tuple(bytes.fromhex(row[1])) for row in rows))


# The evaluated labels of Mapillary Vistas, in the order of its config files: 65 of 66 in v1.2, 116 of 124 in v2.0
# (where some share a color).
MAPILLARY = _space(
    "mapillary",
    """
    bird a52a2a; ground animal 00c000; curb c4c4c4; fence be9999; guard rail b4a5b4; barrier 5a7896; wall 66669c;
    bike lane 8040ff; crosswalk - plain 8c8cc8; curb cut aaaaaa; parking faaaa0; pedestrian area 606060;
    rail track e6968c; road 804080; service lane 6e6e6e; sidewalk f423e8; bridge 966464; building 464646;
    tunnel 96785a; person dc143c; bicyclist ff0000; motorcyclist ff0064; other rider ff00c8;
    lane marking - crosswalk c88080; lane marking - general ffffff; mountain 40aa40; sand e6a032; sky 4682b4;
    snow beffff; terrain 98fb98; vegetation 6b8e23; water 00aa1e; banner ffff80; bench fa001e; bike rack 648cb4;
    billboard dcdcdc; catch basin dc8080; cctv camera de2828; fire hydrant 64aa1e; junction box 282828;
    mailbox 212121; manhole 6480a0; phone booth 8e0000; pothole 466496; street light d2aa64; pole 999999;
    traffic sign frame 808080; utility pole 000050; traffic light faaa1e; traffic sign (back) c0c0c0;
    traffic sign (front) dcdc00; trash can 8c8c14; bicycle 770b20; boat 9600ff; bus 003c64; car 00008e;
    caravan 00005a; motorcycle 0000e6; on rails 005064; other vehicle 804040; trailer 00006e; truck 000046;
    wheeled slow 0000c0; car mount 202020; ego vehicle 780a0a
    """,
)

MAPILLARY_V2 = _space(
    "mapillary_v2",
    """
    bird a52a2a; ground animal 00c000; concrete block faaa20; curb c4c4c4; fence be9999; guard rail b4a5b4;
    barrier 5a7896; road median faaa21; road side faaa22; lane separator 808080; temporary barrier faaa23;
    wall 66669c; bike lane 8040ff; crosswalk - plain 8c8cc8; curb cut aaaaaa; driveway faaa24; parking faaaa0;
    parking aisle faaa25; pedestrian area 606060; rail track e6968c; road 804080; road shoulder 6e6e6e;
    service lane 6e6e6e; sidewalk f423e8; traffic island 80c480; bridge 966464; building 464646; garage 969696;
    tunnel 96785a; person dc143c; bicyclist ff0000; motorcyclist ff0064; other rider ff00c8;
    lane marking - dashed line ffffff; lane marking - straight line ffffff; lane marking - zigzag line faaa1d;
    lane marking - arrow (left) faaa1a; lane marking - arrow (other) faaa19; lane marking - arrow (right) faaa18;
    lane marking - arrow (split left or straight) faaa16; lane marking - arrow (split right or straight) faaa15;
    lane marking - arrow (straight) faaa14; lane marking - crosswalk ffffff; lane marking - give way (row) faaa13;
    lane marking - give way (single) faaa12; lane marking - hatched (chevron) faaa0c;
    lane marking - hatched (diagonal) faaa0b; lane marking - other ffffff; lane marking - stop line ffffff;
    lane marking - symbol (bicycle) faaa10; lane marking - symbol (other) faaa0f; lane marking - text faaa0f;
    lane marking (only) - dashed line ffffff; lane marking (only) - crosswalk ffffff;
    lane marking (only) - other ffffff; lane marking (only) - test ffffff; mountain 40aa40; sand e6a032;
    sky 4682b4; snow beffff; terrain 98fb98; vegetation 6b8e23; water 00aa1e; banner ffff80; bench fa001e;
    bike rack 648cb4; catch basin dc8080; cctv camera de2828; fire hydrant 64aa1e; junction box 282828;
    mailbox 212121; manhole 6480a0; parking meter 1414ff; phone booth 8e0000; pothole 466496;
    signage - advertisement faab1e; signage - back faad1e; signage - information faae1e; signage - other faaf1e;
    signage - store fab01e; street light d2aa64; pole 999999; traffic sign frame 808080; utility pole 000050;
    traffic cone d23c3c; traffic light - general (single) faaa1e; traffic light - pedestrians faaa1e;
    traffic light - general (upright) faaa1e; traffic light - general (horizontal) faaa1e;
    traffic light - cyclists faaa1e; traffic light - other faaa1e; traffic sign (back) c0c0c0;
    traffic sign - direction (back) c0c0c0; traffic sign - direction (front) dcdc00; traffic sign (front) dcdc00;
    traffic sign - parking 0000c4; traffic sign - temporary (back) c0c0c0; traffic sign - temporary (front) dcdc00;
    trash can 8c8c14; bicycle 770b20; boat 9600ff; bus 003c64; car 00008e; caravan 00005a; motorcycle 0000e6;
    on rails 005064; other vehicle 804040; trailer 00006e; truck 000046; wheeled slow 0000c0; water valve aaaaaa;
    car mount 202020; dynamic 6f4a00; ego vehicle 780a0a; ground 510051; static 6f6f00
    """,
)
