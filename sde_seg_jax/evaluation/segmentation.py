"""Segmentation scores from a confusion matrix: counted on the device, summed over batches on the host."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


@functools.partial(jax.jit, static_argnames="num_classes")
def confusion_matrix(
    label: Int[Array, "B H W"], prediction: Int[Array, "B H W"], num_classes: int
) -> Int[Array, "C C"]:
    """Pixel counts, rows = label, columns = prediction (an arg max, so within 0..C-1).

    Pixels whose label is outside 0..C-1 (IGNORE, unknown ids) are left out. The counts of one batch are
    int32; sum batches in NumPy (`np.asarray(m, np.int64)`). Raises ValueError if the shapes differ.
    """
    if label.shape != prediction.shape:
        raise ValueError(
            f"label {label.shape} and prediction {prediction.shape} differ; resize the logits to the label"
        )
    label, prediction = label.astype(jnp.int32), prediction.astype(jnp.int32)
    counted = (label >= 0) & (label < num_classes)
    cells = num_classes * num_classes
    cell = jnp.where(counted, label * num_classes + prediction, jnp.full_like(label, cells))
    counts = jnp.zeros(cells + 1, jnp.int32).at[cell.reshape(-1)].add(1)
    return counts[:cells].reshape(num_classes, num_classes)


@functools.partial(jax.jit, static_argnames="num_classes")
def confusion_matrices(
    label: Int[Array, "B H W"], prediction: Int[Array, "B H W"], num_classes: int
) -> Int[Array, "B C C"]:
    """`confusion_matrix` of each image of a batch."""
    return jax.vmap(lambda one, other: confusion_matrix(one[None], other[None], num_classes))(label, prediction)


def _ratio(part: Float[np.ndarray, " C"], whole: Float[np.ndarray, " C"]) -> Float[np.ndarray, " C"]:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _mean(values: Float[np.ndarray, " C"]) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def mean_over(iou: Float[np.ndarray, " C"], classes: Sequence[int]) -> float:
    """The mean IoU of some classes (by id), of those that have one: an evaluation on a subset of the classes.

    The IoUs are those of all classes, so pixels of and mistaken for other classes count, too.
    """
    return _mean(np.asarray(iou)[list(classes)])


def scores(confusion: Int[np.ndarray, "C C"]) -> dict[str, float | Float[np.ndarray, " C"]]:
    """All scores of a confusion matrix, in float64 and in [0,1].

    iou: per class, intersection / union, NaN where the union is empty. mean_iou: mean over the others, so a
    class that is only predicted counts as 0, as published (Q39 in docs/record/differences.md). pixel_accuracy: share of
    correct pixels. mean_accuracy: mean recall of the labelled classes. frequency_weighted_iou: IoU weighted by the
    share of labelled pixels.
    Without a single labelled pixel every score is NaN.
    """
    confusion = np.asarray(confusion, np.float64)
    correct, labeled, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    total = labeled.sum()
    iou = _ratio(correct, labeled + predicted - correct)
    frequency = _ratio(labeled, np.full(labeled.shape, total))
    return {
        "mean_iou": _mean(iou),
        "iou": iou,
        "pixel_accuracy": float(correct.sum() / total) if total else float("nan"),
        "mean_accuracy": _mean(_ratio(correct, labeled)),
        "frequency_weighted_iou": float((frequency * iou)[labeled > 0].sum()) if total else float("nan"),
    }
