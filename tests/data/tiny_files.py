"""A fake data set whose loads are counted, and whose faults are files in a folder: so they can come and go."""

import os
import pathlib
import signal
import warnings

import numpy as np

from sde_seg_jax.data.spec import DatasetSpec
from sde_seg_jax.label_spaces import CITYSCAPES, LabelSpace

SIZE = (8, 16)
COUNT = 40  # five shards of eight


def items(split, raw_dir, *, problems, folder, count, absent):
    return [(split, index, folder, tuple(absent.get(split, ()))) for index in range(count)]


def load(item, size):
    """Every load adds a line to `<folder>/loads`; a file `<folder>/<fault>-<split>-<index>` is a fault of a sample."""
    split, index, folder, absent = item
    folder = pathlib.Path(folder)
    with open(folder / "loads", "a") as log:
        log.write(f"{split}-{index}\n")

    def fault(name):
        return (folder / f"{name}-{split}-{index}").exists()

    if fault("kill"):
        os.kill(os.getppid() if fault("worker") else os.getpid(), signal.SIGKILL)
    if fault("stop"):
        raise KeyboardInterrupt
    if fault("bad"):
        raise ValueError(f"cannot read '{split}/{index:03d}.png' (broken); replace the file")
    if fault("gone"):
        (folder / f"{split}-{index}.png").read_bytes()
    if fault("unknown"):
        warnings.warn(f"label '{index:03d}.png' has unknown ids [{40 + index}] (known: 0..33): ignored", stacklevel=1)
    rng = np.random.default_rng((split == "val", index))
    label = rng.integers(0, 3, SIZE)
    label[0, 0] = 250
    example = {
        "image": rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8),
        "neighbors": rng.integers(0, 256, (2, *SIZE, 3), dtype=np.uint8),
        "label": label,
        "depth": rng.uniform(1, 100, SIZE),
        "pose": np.tile(np.eye(4), (2, 1, 1)),
        "intrinsics": (12.0, 11.0, 7.0, 3.0),
        "name": f"{split}_{index:03d}",
    }
    for field in absent:
        del example[field]
    for field in ("neighbors", "label", "depth", "pose"):
        if fault(f"no_{field}"):
            del example[field]
    return example


def read_space(raw_dir, *, folder, count, absent):
    return LabelSpace("own", ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


SPEC = DatasetSpec(
    name="tiny_files",
    version="1.0.0",
    space=CITYSCAPES,
    splits=("train", "val"),
    items=items,
    load=load,
    fields=("neighbors", "label", "depth", "pose"),
    options={"folder": "", "count": COUNT, "absent": {}},
)
