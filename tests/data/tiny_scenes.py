"""A fake data set of 8x16 pictures with every field, importable, so that worker processes find it."""

import numpy as np

from sde_seg_jax.data.spec import DatasetSpec
from sde_seg_jax.label_spaces import CITYSCAPES

SIZE = (8, 16)


def items(split, raw_dir, *, problems, count, fault):
    return [(split, index, fault if index == count - 1 else None) for index in range(count)]


def load(item, size):
    """Smooth pictures (JPEG keeps them), random ids; `fault` spoils the last sample in one way."""
    split, index, fault = item
    rng = np.random.default_rng((split == "val", index))
    height, width = SIZE
    ramp = np.linspace(0, 60, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    frames = (ramp + rng.uniform(20, 120, (3, 1, 1, 3))).astype(np.uint8)
    label = rng.integers(0, CITYSCAPES.num_classes, SIZE)
    label[0, 0] = CITYSCAPES.ignore
    pose = np.tile(np.eye(4), (2, 1, 1))
    pose[:, :3, 3] = rng.normal(size=(2, 3))
    example = {
        "image": frames[0],
        "neighbors": frames[1:],
        "label": label,
        "depth": np.where(label == 10, np.inf, rng.uniform(1, 100, SIZE)),
        "pose": pose,
        "intrinsics": (12.0, 11.0, 7.0, 3.0),
        "name": f"{split}_{index:03d}",
    }
    if fault == "id":
        label[3, 5] = 77
    if fault == "size":
        example["label"] = label[:, :-2]
    if fault == "name":
        example["name"] = f"{split}_000"
    if fault == "unlabeled":
        example["label"] = None
    if fault == "neighbors":
        del example["neighbors"]
    if fault == "depth":
        del example["depth"]
    if fault == "crash":
        raise KeyboardInterrupt
    return example


SPEC = DatasetSpec(
    name="tiny_scenes",
    version="1.0.0",
    space=CITYSCAPES,
    splits=("train", "val"),
    items=items,
    load=load,
    fields=("neighbors", "label", "depth", "pose"),
    options={"count": 6, "fault": None},
)
