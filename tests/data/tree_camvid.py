"""A tiny CamVid."""

import numpy as np
from PIL import Image


def write(root):
    """A few small frames in CamVid's layout; val has one more than "video" needs to have three."""
    rng = np.random.default_rng(0)
    for split, (first, count) in {"train": (100, 3), "val": (200, 5), "test": (300, 3)}.items():
        lines = []
        for number in range(first, first + 2 * count, 2):
            image, label = f"{split}/0001TP_{number:06d}.png", f"{split}annot/0001TP_{number:06d}.png"
            for name, shape, end in ((image, (24, 32, 3), 256), (label, (24, 32), 12)):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, end, shape, dtype=np.uint8)).save(root / name)
            lines.append(f"{image} {label}\n")
        (root / f"{split}.txt").write_text("".join(lines))
