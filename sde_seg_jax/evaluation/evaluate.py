"""Scores of a predictor over a whole data set. Receives functions and batches; knows no models and no files.

Of several processes each is given its batches (`processes.together.part` of all), and all return the scores of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tqdm

from sde_seg_jax.evaluation.calibration import Calibration, batch_sums
from sde_seg_jax.evaluation.depth import (
    constant_depth_errors,
    depth_errors,
    mean_errors,
    scale_to_median,
    whole_image,
)
from sde_seg_jax.evaluation.protocols.views import Segmentation
from sde_seg_jax.evaluation.segmentation import confusion_matrices, mean_over, scores
from sde_seg_jax.label_spaces import LabelSpace, subsets
from sde_seg_jax.processes import together
from sde_seg_jax.types import Batch


def segmentation_scores(
    predict: Callable[[np.ndarray], np.ndarray],
    batches: Iterable[Batch],
    space: LabelSpace,
    quiet: bool = False,
    classes: int | Sequence[int] = 0,
    keep: Callable[[np.ndarray], None] | None = None,
) -> dict[str, float]:
    """{"miou", "pixel_accuracy", "mean_accuracy", "iou/<class>"...}, all in [0,1].

    predict: uint8 images [B,H,W,3] -> class ids [B,H,W]. A class that neither occurs nor is predicted has no IoU (NaN).
    classes: 16 or 13 also reports "miou_16" or "miou_13", the mean over that subset of Cityscapes' classes
    (`label_spaces.SUBSETS`), (16, 13) both; 0 or () only the mean over all.
    keep: is given the confusion matrices [B,C,C] of the images of each batch.
    """
    bar = tqdm.tqdm(batches, desc="evaluate segmentation", unit="batch", disable=quiet)
    return _scores(((batch.label, predict(batch.image)) for batch in bar), space, classes, keep)


def calibrated_scores(
    predict: Callable[[np.ndarray], Segmentation],
    batches: Iterable[Batch],
    space: LabelSpace,
    quiet: bool = False,
    classes: int | Sequence[int] = 0,
    keep: Callable[[np.ndarray], None] | None = None,
) -> dict[str, float]:
    """`segmentation_scores` and `calibration.Calibration.scores`, of one pass over the data.

    predict: uint8 images [B,H,W,3] -> classes and probabilities.
    """
    sums = []

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in tqdm.tqdm(batches, desc="evaluate segmentation", unit="batch", disable=quiet):
            found = predict(batch.image)
            sums.append(batch_sums(batch.label, *found))
            yield batch.label, found.classes

    found = _scores(pairs(), space, classes, keep)
    calibration = Calibration()
    for of_batch in together.in_order(sums):
        calibration.add(of_batch)
    return {**found, **calibration.scores()}


def _scores(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    space: LabelSpace,
    classes: int | Sequence[int],
    keep: Callable[[np.ndarray], None] | None,
) -> dict[str, float]:
    """Of (label, classes) of all batches."""
    chosen = subsets(space, classes)
    confusion = np.zeros((space.num_classes, space.num_classes), np.int64)
    found = [np.asarray(confusion_matrices(*pair, space.num_classes), np.int64) for pair in pairs]
    for counts in together.in_order(found):
        confusion += counts.sum(0)
        if keep is not None:
            keep(counts)
    all_scores = scores(confusion)
    per_class = dict(zip(space.classes, np.asarray(all_scores["iou"]), strict=True))
    summary = {key: all_scores[key] for key in ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou")}
    summary |= {f"miou_{count}": mean_over(all_scores["iou"], ids) for count, ids in chosen.items()}
    return {
        "miou": all_scores["mean_iou"],
        **summary,
        **{f"iou/{name}": float(value) for name, value in per_class.items()},
    }


def depth_scores(
    predict: Callable[[np.ndarray], np.ndarray],
    batches: Iterable[Batch],
    stride: int = 2,
    quiet: bool = False,
    crop: Callable[[int, int], np.ndarray] = whole_image,
) -> dict[str, float]:
    """Depth errors with per-image median scaling (plain names), without (`unscaled/...`), and of the best constant.

    `constant/...`: the one constant in metres that is best over the set; `constant_median/...`: each image's true
    median, which is what any constant map scores after median scaling. Both are computed on every `stride`-th pixel.

    predict: uint8 images [B,H,W,3] -> depth [B,H,W] in the network's own scale. True depth in metres, 0 = none.
    crop: (height, width) -> mask [H,W] of the pixels that count (`depth.CROPS`), for the medians too.
    """
    unscaled, scaled, truth = [], [], []
    for batch in tqdm.tqdm(batches, desc="evaluate depth", unit="batch", disable=quiet):
        predicted = np.asarray(predict(batch.image))
        true = np.where(crop(*batch.depth.shape[1:]), batch.depth, 0)
        unscaled.append(depth_errors(true, predicted))
        scaled.append(depth_errors(true, scale_to_median(true, predicted)))
        truth.append(true[:, ::stride, ::stride])
    unscaled, scaled, truth = (together.in_order(found) for found in (unscaled, scaled, truth))
    constant = constant_depth_errors(np.concatenate(truth))
    return {
        **mean_errors(scaled),
        **{f"unscaled/{key}": value for key, value in mean_errors(unscaled).items()},
        **{f"constant/{key}": value for key, value in constant["unscaled"].items()},
        **{f"constant_median/{key}": value for key, value in constant["median_scaled"].items()},
        "constant_depth": constant["constant"],
    }
