"""Street scenes with the classes that small pictures show: poles, lights and signs are one, vehicles another, ...

For tables that run on a laptop: at 64x128 half of Cityscapes' 19 classes are a few pixels, or none, in most images. And
what is scored on has many streets: two frames of each, eight of those to train on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.datasets import street_scenes
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.label_spaces import CITYSCAPES, LabelSpace
from sde_seg_jax.types import IGNORE

MERGED = {
    "road": ("road",),
    "sidewalk": ("sidewalk",),
    "building": ("building",),
    "wall or fence": ("wall", "fence"),
    "pole or sign": ("pole", "traffic light", "traffic sign"),
    "vegetation": ("vegetation",),
    "terrain": ("terrain",),
    "sky": ("sky",),
    "person": ("person", "rider"),
    "vehicle": ("car", "truck", "bus", "train", "motorcycle", "bicycle"),
}
SPACE = LabelSpace(
    name="coarse_streets",
    classes=tuple(MERGED),
    colors=tuple(CITYSCAPES.colors[CITYSCAPES.classes.index(names[0])] for names in MERGED.values()),
)
SCORED = 2  # frames of each street in val and test
_IDS = np.full(256, IGNORE, np.uint8)
for _id, _names in enumerate(MERGED.values()):
    _IDS[[CITYSCAPES.classes.index(name) for name in _names]] = _id


def items(split: str, raw_dir: None, **options: Any) -> Sequence[street_scenes.Item]:
    """As `street_scenes.items`, of val and test two frames a street."""
    from sde_seg_jax.data.street_scenes.clip import FRAMES_PER_CLIP  # only who prepares needs the renderer

    every = 1 if split == "train" else FRAMES_PER_CLIP // SCORED
    counts = {name: every * count for name, count in options.pop("counts").items()}
    return street_scenes.items(split, raw_dir, counts=counts, **options)[every // 2 :: every]


def load(item: street_scenes.Item, size: Size) -> dict[str, Any]:
    """The same scene with merged classes."""
    example = street_scenes.load(item, size)
    return {**example, "label": _IDS[example["label"]]}


SPEC = DatasetSpec(
    name="coarse_streets",
    version="1.0.0",
    space=SPACE,
    splits=street_scenes.SPLITS,
    items=items,
    load=load,
    fields=street_scenes.SPEC.fields,
    options=street_scenes.SPEC.options,
)
