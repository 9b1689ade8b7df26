"""How much mIoU depends on which images happen to be scored: its interval by resampling images or clips (NumPy)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

DRAWS, LEVEL = 1000, 0.95
ENOUGH = 5  # clips from which on they are resampled rather than their images, which look alike
AT_ONCE = 50  # draws that are computed together: 50 matrices of 65 classes are 2 MB


def clips_of(names: Sequence[str]) -> list[str]:
    """The clip of each sample: all of its name up to the last "/"; of names without any, all are of one clip, ""."""
    return [name.rpartition("/")[0] for name in names]


def miou_interval(confusions: Int[np.ndarray, "N C C"], names: Sequence[str], seed: int = 0) -> dict[str, float]:
    """{"miou_low", "miou_high"}: the percentile bootstrap's 95 % interval, and over how many "miou_clips" or
    "miou_images"; {} for a single image.

    Clips are drawn where names tell at least ENOUGH of them, else images: then the interval is too narrow, as frames
    of one clip are alike. Efron: Bootstrap methods, Annals of Statistics 1979.

    Args:
      confusions: pixel counts of each image, rows = label, columns = prediction.
      names: of the images; "<clip>/<frame>" tells the clip.
      seed: of the draws.
    """
    matrices, what = np.asarray(confusions, np.float64), "miou_images"
    clips = clips_of(names)
    if len(set(clips)) >= ENOUGH:
        _, which = np.unique(clips, return_inverse=True)
        matrices = np.stack([matrices[which == i].sum(0) for i in range(which.max() + 1)])
        what = "miou_clips"
    count = len(matrices)
    if count < 2:
        return {}
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)
    flat = matrices.reshape(count, -1)
    drawn = [
        _miou((weights[i : i + AT_ONCE] @ flat).reshape(-1, *matrices.shape[1:])) for i in range(0, DRAWS, AT_ONCE)
    ]
    found = np.concatenate(drawn)
    found = found[np.isfinite(found)]
    if not found.size:
        return {}
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"miou_low": float(low), "miou_high": float(high), what: count}


def _miou(confusions: Float[np.ndarray, "D C C"]) -> Float[np.ndarray, " D"]:
    """As `segmentation.scores`: the mean over classes that occur or are predicted; NaN where none does."""
    correct = np.diagonal(confusions, axis1=1, axis2=2)
    union = confusions.sum(2) + confusions.sum(1) - correct
    there = union > 0
    iou = np.divide(correct, union, out=np.zeros_like(union), where=there)
    classes = there.sum(1)
    return np.divide(iou.sum(1), classes, out=np.full(len(iou), np.nan), where=classes > 0)
