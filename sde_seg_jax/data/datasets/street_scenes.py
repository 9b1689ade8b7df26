"""Street scenes: the embedded data set, rendered here. Triplets with exact labels, depth, pose, camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.label_spaces import CITYSCAPES

DOMAINS = ("target", "source")  # "real" streets, and the simpler rendering of the synthetic domain
SPLITS = ("train", "val", "test")
TEST_STREETS = 2**30  # seeds of streets from here on are those of test splits
SUPERSAMPLE = 2  # rendered at twice the size, then averaged

Item = tuple[str, int, int, float]  # domain, seed, index, shake


def items(
    split: str,
    raw_dir: None,
    *,
    problems: raw.Problems,
    domain: str,
    seed: int,
    counts: Mapping[str, int],
    shake: float = 0.0,
) -> Sequence[Item]:
    """Lists `counts[split]` scenes, none if it is not named. Every split has its own streets: those of its seed.

    `shake` turns the camera as if it were held by hand (`camera.drive`): focal lengths show in rotations alone.
    """
    del problems  # nothing is read
    if domain not in DOMAINS:
        raise ValueError(f"unknown domain {domain!r} of street scenes; known: {DOMAINS}")
    streets = TEST_STREETS + seed if split == "test" else 2 * seed + SPLITS.index(split)
    return [(domain, streets, index, shake) for index in range(counts.get(split, 0))]


def load(item: Item, size: Size) -> dict[str, Any]:
    """Renders one scene at the stored size."""
    from sde_seg_jax.data.street_scenes import clip  # only who renders needs the renderer

    domain, seed, index, shake = item
    example = clip.render_sample(domain, seed, index, size=size, supersample=SUPERSAMPLE, shake=shake)
    camera = example["intrinsics"]
    return {**example, "intrinsics": tuple(camera[key] for key in ("fx", "fy", "cx", "cy"))}


SPEC = DatasetSpec(
    name="street_scenes",
    version="1.0.0",
    space=CITYSCAPES,
    splits=SPLITS,
    items=items,
    load=load,
    fields=("neighbors", "label", "depth", "pose"),
    options={"domain": "target", "seed": 0, "counts": {"train": 300, "val": 60, "test": 128}, "shake": 0.0},
)
