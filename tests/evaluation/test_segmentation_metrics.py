import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.evaluation.segmentation import confusion_matrix, scores
from sde_seg_jax.types import IGNORE


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_the_confusion_matrix_counts_labelled_pixels(batch, dtype):
    rng = np.random.default_rng(batch)
    label = rng.choice([0, 1, 2, 3, 4, 200, IGNORE], (batch, 6, 8)).astype(dtype)
    prediction = rng.integers(0, 4, (batch, 6, 8)).astype(np.int32)
    expected = np.zeros((4, 4), np.int64)
    for at in np.ndindex(label.shape):
        if label[at] < 4:
            expected[label[at], prediction[at]] += 1
    np.testing.assert_array_equal(confusion_matrix(jnp.asarray(label), jnp.asarray(prediction), 4), expected)


def test_negative_ids_are_left_out():
    label, prediction = jnp.full((1, 6, 8), -1), jnp.zeros((1, 6, 8), jnp.int32)
    assert confusion_matrix(label, prediction, 3).sum() == 0


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="resize the logits"):
        confusion_matrix(jnp.zeros((1, 6, 8), jnp.int32), jnp.zeros((1, 3, 4), jnp.int32), 3)


def test_scores_of_a_matrix_done_by_hand():
    # class 2 is predicted once and never labelled, class 3 is neither
    found = scores(np.array([[3, 1, 0, 0], [0, 4, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    np.testing.assert_allclose(found["iou"], [3 / 4, 4 / 6, 0, np.nan])
    assert found["mean_iou"] == pytest.approx((3 / 4 + 4 / 6 + 0) / 3)
    assert found["pixel_accuracy"] == pytest.approx(7 / 9)
    assert found["mean_accuracy"] == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert found["frequency_weighted_iou"] == pytest.approx(4 / 9 * 3 / 4 + 5 / 9 * 4 / 6)


def test_a_perfect_prediction_scores_one():
    found = scores(np.diag([5, 0, 7]))
    assert all(found[key] == 1 for key in ("mean_iou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou"))


def test_nothing_labelled_scores_nan_without_a_warning():
    found = scores(np.zeros((3, 3), np.int64))
    assert all(np.isnan(value).all() for value in found.values())


def test_counts_beyond_float32_stay_exact():
    many = 2**24 + 1
    assert scores(np.array([[many, 1], [0, 0]], np.int64))["pixel_accuracy"] == many / (many + 1)
