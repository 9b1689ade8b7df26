"""Street scenes with the classes that small pictures show: poles, lights and signs are one, vehicles another, ...

For tables that run on a laptop: at 64x128 half of Cityscapes' 19 classes are a few pixels, or none, in most images. And
what is scored on has many streets: two frames of each, eight of those to train on.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.datasets import street_scenes
from sde_seg_jax.data.raw_files import raw
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
POOLS = ("even", "video")
# of a pool "video": (share of the streets, fewest frames, most frames): most frames are of a few dull stretches
STRETCHES = ((0.5, 2, 4), (0.3, 6, 12), (0.2, 30, 40))
_IDS = np.full(256, IGNORE, np.uint8)
for _id, _names in enumerate(MERGED.values()):
    _IDS[[CITYSCAPES.classes.index(name) for name in _names]] = _id


Item = tuple[str, int, int, int, float]  # domain, seed, street, tick, shake


def items(
    split: str,
    raw_dir: None,
    *,
    problems: raw.Problems,
    domain: str,
    seed: int,
    counts: Mapping[str, int],
    shake: float = 0.0,
    pool: str = "even",
) -> Sequence[Item]:
    """Lists `counts[split]` scenes, of val and test two a street.

    pool, of train: "even" has eight frames of each street; "video" is as redundant as what a car records, uneven
    numbers of frames that follow each other closely.
    """
    from sde_seg_jax.data.street_scenes.clip import FRAMES_PER_CLIP, STRIDE  # only who prepares needs the renderer

    if pool not in POOLS:
        raise ValueError(f"unknown pool {pool!r} of street scenes; known: {POOLS}")
    each = FRAMES_PER_CLIP if split == "train" else SCORED
    count = counts.get(split, 0)
    listed = street_scenes.items(
        split, raw_dir, problems=problems, domain=domain, seed=seed, counts={split: count}, shake=shake
    )
    streets = listed[0][1] if listed else 0
    if pool == "video" and split == "train":
        moments = itertools.islice(_stretches(seed), count)
    else:
        every = FRAMES_PER_CLIP // each
        moments = ((i // each, STRIDE * (every // 2 + every * (i % each))) for i in range(count))
    return [(domain, streets, street, tick, shake) for street, tick in moments]


def _stretches(seed: int) -> Iterator[tuple[int, int]]:
    """(street, tick) without end: each street a stretch of frames, one tick apart."""
    draw = random.Random(f"stretches/{seed}").random
    for street in itertools.count():
        kind, fewest, most = draw(), *STRETCHES[-1][1:]
        for share, low, high in STRETCHES[:-1]:
            if kind < share:
                fewest, most = low, high
                break
            kind -= share
        frames = fewest + int(draw() * (most - fewest + 1))
        yield from ((street, tick) for tick in range(frames))


def load(item: Item, size: Size) -> dict[str, Any]:
    """Renders one scene at the stored size, with merged classes."""
    from sde_seg_jax.data.street_scenes import clip

    domain, streets, street, tick, shake = item
    example = clip.render_moment(domain, streets, street, tick, size, street_scenes.SUPERSAMPLE, shake=shake)
    camera = tuple(example["intrinsics"][key] for key in ("fx", "fy", "cx", "cy"))
    return {**example, "label": _IDS[example["label"]], "intrinsics": camera}


SPEC = DatasetSpec(
    name="coarse_streets",
    version="1.0.0",
    space=SPACE,
    splits=street_scenes.SPLITS,
    items=items,
    load=load,
    fields=street_scenes.SPEC.fields,
    options={**street_scenes.SPEC.options, "pool": "even"},
)
