"""Facts about the losses that train segmentation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.losses.cross_entropy import cross_entropy, cross_entropy_map
from sde_seg_jax.losses.ohem import smallest
from sde_seg_jax.losses.pseudo_label import (
    adjusted,
    confidence_weights,
    confident_fraction,
    pseudo_label,
    pseudo_label_loss,
    rarity,
)
from sde_seg_jax.types import IGNORE

LOGITS = jax.random.normal(jax.random.key(0), (2, 3, 4, 5))
LABEL = jax.random.randint(jax.random.key(1), (2, 3, 4), 0, 5).at[0, 0].set(IGNORE)


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    np.testing.assert_allclose(cross_entropy(jnp.zeros((2, 3, 4, 5)), LABEL), np.log(5), rtol=1e-6)


def test_without_weights_ignored_pixels_do_not_dilute_the_mean():
    per_pixel = cross_entropy_map(LOGITS, LABEL)
    np.testing.assert_allclose(cross_entropy(LOGITS, LABEL), per_pixel.sum() / 20, rtol=1e-6)


def test_with_weights_they_do():
    per_pixel = cross_entropy_map(LOGITS, LABEL)
    np.testing.assert_allclose(
        cross_entropy(LOGITS, LABEL, jnp.full(LABEL.shape, 0.5)), 0.5 * per_pixel.sum() / 24, rtol=1e-6
    )


@pytest.mark.parametrize("size", [(2, 24, 40), (2, 48, 96), (3, 77, 131)])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_the_mean_of_many_pixels_keeps_float32s_digits(size, compiled):
    loss = jax.jit(cross_entropy) if compiled else cross_entropy
    for seed in range(8):
        rng = np.random.default_rng(seed)
        logits = rng.normal(scale=3, size=(*size, 5)).astype(np.float32)
        label, weight = rng.integers(0, 5, size), rng.exponential(size=size).astype(np.float32)
        of_pixel = np.asarray(cross_entropy_map(logits, label), np.float64)
        np.testing.assert_allclose(loss(logits, label), of_pixel.mean(), rtol=3e-7)
        np.testing.assert_allclose(loss(logits, label, weight), (weight * of_pixel).mean(), rtol=3e-7)


def test_unsigned_labels_from_disk_work():
    np.testing.assert_array_equal(cross_entropy(LOGITS, LABEL.astype(jnp.uint8)), cross_entropy(LOGITS, LABEL))


def test_bfloat16_logits_are_summed_in_float32():
    assert cross_entropy(LOGITS.astype(jnp.bfloat16), LABEL).dtype == jnp.float32


def test_logits_are_resized_when_only_one_side_differs():
    tall = jnp.repeat(LABEL, 2, axis=1)
    assert cross_entropy_map(LOGITS, tall).shape == (2, 6, 4)


def test_a_channel_axis_on_the_label_is_refused():
    with pytest.raises(ValueError, match="drop the label's channel axis"):
        cross_entropy(LOGITS, LABEL[..., None])


def test_huge_logits_stay_finite():
    assert np.isfinite(jax.grad(cross_entropy)(1e30 * LOGITS, LABEL)).all()


def test_pixels_without_probability_are_ignored():
    probability = jnp.array([[0.2, 0.8], [0.0, 0.0], [1.0, 0.0]]).reshape(1, 1, 3, 2)
    np.testing.assert_array_equal(pseudo_label(probability), [[[1, IGNORE, 0]]])
    np.testing.assert_allclose(confident_fraction(probability), 1 / 3)
    np.testing.assert_allclose(confident_fraction(probability, threshold=0.8), 2 / 3)


def test_an_unsure_teacher_teaches_nothing():
    probability = jnp.full((2, 3, 4, 5), 0.2)
    assert pseudo_label_loss(LOGITS, probability) == 0


def test_weightings_of_pseudo_labels():
    sure, unsure = [0.98, 0.01, 0.01], [0.5, 0.3, 0.2]
    probability = jnp.asarray([[[sure, unsure, unsure, [0.0, 0.0, 0.0]]]])
    weights = {name: confidence_weights(probability, 0.9, name).tolist() for name in ("batch", "pixel", "none")}
    assert weights == {"batch": [[[0.25] * 4]], "pixel": [[[1, 0, 0, 0]]], "none": [[[1, 1, 1, 1]]]}
    logits = jax.random.normal(jax.random.key(2), (1, 1, 4, 3))
    each = cross_entropy_map(logits, jnp.asarray([[[0, 0, 0, IGNORE]]]))
    of_pixel = pseudo_label_loss(logits, probability, 0.9, "pixel")
    np.testing.assert_allclose(of_pixel, each[0, 0, 0] / 4, rtol=1e-6)  # all pixels in the denominator, as published
    np.testing.assert_allclose(pseudo_label_loss(logits, probability, 0.9, "none"), each.sum() / 4, rtol=1e-6)
    with pytest.raises(ValueError, match=r"task\.weighting.*'pixel'"):
        confidence_weights(probability, 0.9, "pixels")


def test_probabilities_divided_by_a_power_of_the_classes_shares_favor_rare_ones():
    shares, probability = (0.64, 0.32, 0.04, 0.0), jnp.asarray([[[[0.5, 0.1, 0.2, 0.2]]]])
    factors = rarity(shares, 0.5)
    np.testing.assert_allclose(
        factors, [1 / 0.8, 1 / 0.32**0.5, 5, 1 / 0.8], rtol=1e-6
    )  # no pixel: as the most frequent
    found = adjusted(probability, factors)
    weighted = np.asarray(probability[0, 0, 0]) * np.asarray(factors)
    np.testing.assert_allclose(found[0, 0, 0], weighted / weighted.sum(), rtol=1e-6)
    assert (probability.argmax(-1).item(), found.argmax(-1).item()) == (0, 2)
    np.testing.assert_allclose(rarity(shares, 0.0), 1)


@pytest.mark.parametrize("rank", [1, 31, 400, 600])
def test_the_pixel_of_a_rank_is_that_of_sorting(rank):
    values = np.random.default_rng(0).random((2, 15, 20)).astype(np.float32)
    values[:, 2], values[0, 3, :10] = 1, 0  # ties at both ends
    assert smallest(jnp.asarray(values), rank) == np.sort(values, axis=None)[rank - 1]
