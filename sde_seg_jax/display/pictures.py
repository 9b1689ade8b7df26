"""Pictures for people: arrays [H,W] in, RGB uint8 [H,W,3] out; for TensorBoard, disk and the report alike."""

from __future__ import annotations

import functools

import matplotlib
import numpy as np

from sde_seg_jax.display.sheets import grid, legend, rgb
from sde_seg_jax.label_spaces import LabelSpace

__all__ = [
    "depth_picture",
    "disparity_picture",
    "error_picture",
    "grid",
    "heat_picture",
    "label_picture",
    "legend",
    "mask_picture",
    "overlay",
    "rgb",
]

CORRECT = (58, 62, 70)
WRONG = (255, 72, 66)


@functools.cache
def _colors(name: str) -> np.ndarray:
    return np.round(matplotlib.colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)


def _plane(array: np.ndarray, what: str) -> np.ndarray:
    """[H,W] from [H,W] or [H,W,1]."""
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2:
        raise ValueError(f"{what} must be one map [H, W] or [H, W, 1], got {array.shape}; pass one image of the batch")
    return array


def heat_picture(value: np.ndarray, limits: tuple[float, float] | None = None, colormap: str = "magma") -> np.ndarray:
    """Colours a map from `limits[0]` (dark) to `limits[1]` (bright), clipped; NaN and inf are black.

    Without limits the 2nd and 98th percentile of the finite values are used, so that a few outliers don't
    take all the contrast. A constant map becomes the darkest colour.
    """
    value = _plane(value, "value").astype(np.float64)
    finite = np.isfinite(value)
    if limits is None:
        limits = tuple(np.percentile(value[finite], (2, 98))) if finite.any() else (0.0, 1.0)
    low, high = limits
    if not high >= low:
        raise ValueError(f"limits must be (low, high) with low <= high, got {limits}; swap them")
    span = high - low if high > low else 1.0
    unit = np.clip((np.where(finite, value, low) - low) / span, 0.0, 1.0)
    picture = _colors(colormap)[np.round(unit * 255).astype(np.uint8)]
    picture[~finite] = 0
    return picture


def disparity_picture(disparity: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Near is bright, far is dark (magma), between the robust percentiles of this map or the given limits."""
    return heat_picture(disparity, limits)


def depth_picture(depth: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Inverse depth in `disparity_picture`'s colours; depth <= 0 or not finite means unknown and is black.

    `limits` are (far, near) as inverse depths, to compare predictions on one scale.
    """
    depth = _plane(depth, "depth").astype(np.float64)
    known = np.isfinite(depth) & (depth > 0)
    return heat_picture(np.where(known, 1 / np.where(known, depth, 1.0), np.nan), limits)


def label_picture(label: np.ndarray, space: LabelSpace) -> np.ndarray:
    """The classes' colours; ignored pixels are black. Raises ValueError for ids outside the label space."""
    label = _plane(label, "label")
    wrong = (label != space.ignore) & ((label < 0) | (label >= space.num_classes))
    if wrong.any():
        raise ValueError(
            f"label ids must be 0..{space.num_classes - 1} or {space.ignore} (ignore) in '{space.name}', "
            f"got {np.unique(label[wrong])[:5].tolist()}; map the label to training ids first"
        )
    return space.colorize(label.astype(np.uint8))


def overlay(image: np.ndarray, label: np.ndarray, space: LabelSpace, alpha: float = 0.55) -> np.ndarray:
    """The labels' colours over the image, `alpha*color + (1-alpha)*image`; ignored pixels show the image."""
    image, colors = rgb(image), label_picture(label, space)
    if image.shape != colors.shape:
        raise ValueError(f"label {colors.shape[:2]} must have the size of the image {image.shape[:2]}; resize")
    mixed = np.round(alpha * colors + (1 - alpha) * image).astype(np.uint8)
    return np.where((_plane(label, "label") == space.ignore)[..., None], image, mixed)


def mask_picture(mask: np.ndarray) -> np.ndarray:
    """White where a mask (bool, or float in [0,1]) is 1, black where it is 0."""
    return rgb(_plane(mask, "mask").astype(np.float64)[..., None])


def error_picture(label: np.ndarray, prediction: np.ndarray, space: LabelSpace) -> np.ndarray:
    """Wrong pixels red, correct ones dark grey, pixels without ground truth black."""
    label, prediction = _plane(label, "label"), _plane(prediction, "prediction")
    if label.shape != prediction.shape:
        raise ValueError(f"prediction {prediction.shape} must have the size of the label {label.shape}; resize")
    picture = np.where((label == prediction)[..., None], np.uint8(CORRECT), np.uint8(WRONG))
    picture[label == space.ignore] = 0
    return picture
