"""Depth errors in metres (NumPy, float64), and what a constant map scores.

Maps are [B,H,W] in metres. A pixel counts where the true depth lies strictly between `min_depth` and
`max_depth`, so 0 (no ground truth) never does; predictions are clipped to that range. Errors are computed per
image; a data set's number is their mean over images that have valid pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

MIN_DEPTH, MAX_DEPTH = 1e-3, 80.0  # metres
ERRORS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")

Maps = Float[np.ndarray, "B H W"]


def whole_image(height: int, width: int) -> Bool[np.ndarray, "H W"]:
    """Every pixel counts."""
    return np.ones((height, width), bool)


def garg_crop(height: int, width: int) -> Bool[np.ndarray, "H W"]:
    """The region that KITTI's test frames are scored in: the lower 60 % without the margins.

    Rows from 0.40810811 to 0.99189189 of the height, columns from 0.03594771 to 0.96405229 of the width, rounded down;
    the ends are excluded. Garg et al.: Unsupervised CNN for single view depth estimation, ECCV 2016.
    """
    mask = np.zeros((height, width), bool)
    rows = slice(int(0.40810811 * height), int(0.99189189 * height))
    columns = slice(int(0.03594771 * width), int(0.96405229 * width))
    mask[rows, columns] = True
    return mask


CROPS = {"none": whole_image, "garg": garg_crop}  # eval.depth_crop


def valid_pixels(true: Maps, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH) -> Bool[np.ndarray, "B H W"]:
    """Where the true depth is known and in range."""
    return (true > min_depth) & (true < max_depth)


def _pixel_errors(true: np.ndarray, predicted: np.ndarray) -> tuple[float, ...]:
    if not true.size:
        return (float("nan"),) * len(ERRORS)
    difference = true - predicted
    ratio = np.maximum(true / predicted, predicted / true)
    return (
        np.mean(np.abs(difference) / true),
        np.mean(difference**2 / true),
        np.sqrt(np.mean(difference**2)),
        np.sqrt(np.mean((np.log(true) - np.log(predicted)) ** 2)),
        *(np.mean(ratio < 1.25**k) for k in (1, 2, 3)),
    )


def scale_to_median(true: Maps, predicted: Maps, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH) -> Maps:
    """Predictions times median(true) / median(predicted) over the valid pixels of each image.

    Self-supervised depth is known up to scale only; this is the usual protocol's remedy (Zhou et al. 2017).
    An image without valid pixels stays as it is.
    """
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    pairs = zip(true, predicted, valid_pixels(true, min_depth, max_depth), strict=True)
    scale = [np.median(t[valid]) / np.median(p[valid]) if valid.any() else 1.0 for t, p, valid in pairs]
    return predicted * np.array(scale)[:, None, None]


def depth_errors(
    true: Maps, predicted: Maps, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
) -> dict[str, Float[np.ndarray, " B"]]:
    """Errors of each image over its valid pixels, t true and p predicted depth; NaN for an image without any.

    abs_rel = mean |t-p|/t; sq_rel = mean (t-p)^2/t [m]; rmse [m]; rmse_log = sqrt(mean (log t - log p)^2);
    a1, a2, a3 = share of pixels with max(t/p, p/t) < 1.25, 1.25^2, 1.25^3 (Eigen et al. 2014). Nothing is
    scaled here: with median scaling it is `depth_errors(true, scale_to_median(true, predicted))`.
    Raises ValueError if the shapes differ or a prediction at a valid pixel is not positive and finite.
    """
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    if true.shape != predicted.shape or true.ndim != 3:
        raise ValueError(f"expected two maps [B,H,W], got true {true.shape} and predicted {predicted.shape}")
    valid = valid_pixels(true, min_depth, max_depth)
    seen = predicted[valid]
    if not ((seen > 0) & np.isfinite(seen)).all():
        raise ValueError("predicted depth must be positive and finite; convert with disparity_to_depth")
    predicted = np.clip(predicted, min_depth, max_depth)
    rows = [_pixel_errors(t[v], p[v]) for t, p, v in zip(true, predicted, valid, strict=True)]
    return dict(zip(ERRORS, np.array(rows, np.float64).reshape(-1, len(ERRORS)).T, strict=True))


def mean_errors(batches: Sequence[dict[str, Float[np.ndarray, " B"]]]) -> dict[str, float]:
    """Mean over the images of all batches that have valid pixels; NaN if none has."""
    means = {}
    for name in ERRORS:
        values = np.concatenate([np.zeros(0), *(batch[name] for batch in batches)])
        values = values[~np.isnan(values)]
        means[name] = float(values.mean()) if values.size else float("nan")
    return means


def best_constant_depth(true: Maps, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH) -> float:
    """The constant in metres of the smallest mean abs_rel without scaling: a weighted median of the truth.

    Minimises sum_ip |t_ip - c| / (t_ip n_i), n_i the valid pixels of image i: pixel p of it weighs
    1 / (t_ip n_i). Sorts every valid pixel: give a large data set with a stride.
    Raises ValueError without valid pixels.
    """
    true = np.asarray(true, np.float64)
    valid = valid_pixels(true, min_depth, max_depth)
    if not valid.any():
        raise ValueError(f"no true depth between {min_depth} and {max_depth} m in maps of shape {true.shape}")
    depths = true[valid]
    counts = np.broadcast_to(valid.sum(axis=(1, 2), keepdims=True), true.shape)[valid]
    order = np.argsort(depths)
    cumulative = np.cumsum(1.0 / (depths * counts)[order])
    return float(depths[order][np.searchsorted(cumulative, cumulative[-1] / 2)])


def constant_depth_errors(
    true: Maps, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
) -> dict[str, float | dict[str, float]]:
    """What a network that knows nothing scores on a data set: the yardstick of every reported depth error.

    {"constant": c, "unscaled": errors of predicting c metres everywhere, "median_scaled": errors of any
    constant map under median scaling, that is, each image's true median as its prediction}.
    """
    limits = {"min_depth": min_depth, "max_depth": max_depth}
    constant = best_constant_depth(true, **limits)
    flat = np.full(np.shape(true), constant)
    return {
        "constant": constant,
        "unscaled": mean_errors([depth_errors(true, flat, **limits)]),
        "median_scaled": mean_errors([depth_errors(true, scale_to_median(true, flat, **limits), **limits)]),
    }
