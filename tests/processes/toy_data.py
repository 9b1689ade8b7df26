"""A data set in memory, read and scored by all processes or by one."""

import numpy as np

from sde_seg_jax.data.reading import memory
from sde_seg_jax.evaluation.evaluate import calibrated_scores, depth_scores, segmentation_scores
from sde_seg_jax.evaluation.protocols.views import Segmentation
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.processes import together

SIZE, COUNT, CLASSES = (8, 12), 13, 3
SPACE = LabelSpace("three", ("a", "b", "c"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def source():
    """13 samples: batches of 2 leave one over, and 7 batches are no multiple of 2 or 4 processes."""
    rng = np.random.default_rng(0)
    return memory.MemorySource(
        [
            {
                "image": rng.integers(0, 256, (*SIZE, 3), np.uint8),
                "intrinsics": np.ones(4, np.float32),
                "name": f"clip/{number:02}",
                "labeled": True,
                "label": rng.integers(0, CLASSES, SIZE, np.uint8),
                "depth": rng.uniform(1, 50, SIZE).astype(np.float32),
            }
            for number in range(COUNT)
        ],
        SPACE,
    )


def hosts():
    """Which part of the data this process reads."""
    return {"host_index": together.index(), "host_count": together.count()}


def streams(batches=5, start=2):
    """Names and images of the first batches from the third on."""
    found = memory.memory_batches(source(), seed=3, batch_size=4, crop=(4, 6), start=start, **hosts())
    return [(batch.name, batch.image) for batch, _ in zip(found, range(batches), strict=False)]


def scores():
    """Of predictions that are a function of the image."""

    def classes(image):
        return image[..., 0] % CLASSES

    def probabilities(image):
        raw = image.astype(np.float32) + 1
        return Segmentation(raw.argmax(-1).astype(np.uint8), raw / raw.sum(-1, keepdims=True))

    def validation():
        return memory.memory_eval_batches(source(), 2, **hosts())

    kept = []
    found = {
        "classes": segmentation_scores(classes, validation(), SPACE, quiet=True, keep=kept.append),
        "calibrated": calibrated_scores(probabilities, validation(), SPACE, quiet=True),
        "depth": depth_scores(lambda image: image[..., 0] / 7.0 + 1, validation(), quiet=True),
    }
    return {**found, "matrices": np.concatenate(kept)}
