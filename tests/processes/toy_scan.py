"""Seven samples that are looked at in files of two, and which of them a process looked at."""

import pathlib

import numpy as np

from sde_seg_jax.data.reading.memory import MemorySource
from sde_seg_jax.experiment.scan import scan
from sde_seg_jax.label_spaces import CITYSCAPES

COUNT = 7


def scanned(folder):
    """(what the scan finds, the samples that this process looked at)."""
    image, seen = np.zeros((2, 2, 3), np.uint8), []
    examples = [
        {"image": image + i, "intrinsics": np.ones(4, np.float32), "name": f"s{i}", "labeled": True}
        for i in range(COUNT)
    ]

    def function(variables, columns):
        values = np.asarray(columns["image"], np.float32).mean(axis=(1, 2, 3))
        seen.extend(values.astype(int).tolist())
        return variables * values

    source = MemorySource(examples, CITYSCAPES)
    return scan(source, range(COUNT), function, np.float32(3), pathlib.Path(folder), batch_size=2, block=2), seen
