"""Segmentation scores against the published runningScore."""

import jax.numpy as jnp
import numpy as np
import pytest
from golden import recordings

from sde_seg_jax.evaluation import segmentation


@pytest.mark.parametrize("rec", recordings("g12_running_score"))
def test_confusion_and_scores_are_the_recorded_ones(rec):
    classes = rec.params["n_classes"]
    label, prediction = jnp.asarray(rec["in.gt"], jnp.int32), jnp.asarray(rec["in.pred"], jnp.int32)
    total = np.zeros((classes, classes), np.int64)
    for start, stop in rec.params["batches"]:
        total += np.asarray(segmentation.confusion_matrix(label[start:stop], prediction[start:stop], classes), np.int64)
    assert_scores(rec, total, "")


@pytest.mark.parametrize("rec", recordings("g12_running_score"))
def test_few_classes_give_the_recorded_scores(rec):
    # 'small' is the first image with its ids capped; the recorded matrix shows where
    expected = rec["out64.confusion_small"]
    last_label, last_prediction = (int(np.flatnonzero(expected.sum(axis=axis)).max()) for axis in (1, 0))
    label = jnp.asarray(np.minimum(rec["in.gt"][:1], last_label), jnp.int32)
    prediction = jnp.asarray(np.minimum(rec["in.pred"][:1], last_prediction), jnp.int32)
    assert_scores(rec, np.asarray(segmentation.confusion_matrix(label, prediction, rec.params["n_classes"])), "_small")


def assert_scores(rec, confusion, suffix):
    rec.assert_matches(f"confusion{suffix}", confusion.astype(np.float64))
    scores = segmentation.scores(confusion)
    keys = ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "mean_iou")
    rec.assert_matches(f"scores_acc_meanacc_fwacc_miou{suffix}", np.array([scores[key] for key in keys]))
    rec.assert_matches(f"class_iou{suffix}", scores["iou"])
