"""Colour augmentation facts."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.imaging import colour

IMAGES = jax.random.uniform(jax.random.key(0), (3, 2, 4, 5, 3))  # two frames per sample


def test_hsv_agrees_with_the_standard_library_and_inverts():
    rgb = np.concatenate([np.asarray(IMAGES[0, 0]).reshape(-1, 3), np.eye(3), np.zeros((1, 3)), np.ones((1, 3))])
    hsv = colour.rgb_to_hsv(jnp.asarray(rgb, dtype=np.float32))
    np.testing.assert_allclose(hsv, [colorsys.rgb_to_hsv(*p) for p in rgb], atol=1e-5)
    np.testing.assert_allclose(colour.hsv_to_rgb(hsv), rgb, atol=1e-6)


def test_gradients_through_hsv_are_finite_at_greys_black_and_white():
    corners = jnp.array([[0.0] * 3, [0.5] * 3, [1.0] * 3, [1.0, 0.0, 0.0]])
    gradient = jax.grad(lambda x: colour.shift_hue(x[None], jnp.array([0.1])).sum())(corners)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("operation", "neutral"),
    [
        (colour.add_brightness, 1.0),
        (colour.scale_brightness, 1.0),
        (colour.contrast_about_mean, 1.0),
        (colour.blend_with_grey, 1.0),
        (colour.scale_saturation, 1.0),
        (colour.shift_hue, 0.0),
        (colour.shift_hue, 1.0),
    ],
)
def test_neutral_factors_change_nothing(operation, neutral):
    np.testing.assert_allclose(operation(IMAGES, jnp.full(3, neutral)), IMAGES, atol=1e-6)


def test_each_operation_does_what_its_name_says():
    pixel = jnp.array([0.2, 0.4, 0.6]).reshape(1, 1, 1, 3)
    of = lambda operation, factor: np.asarray(operation(pixel, jnp.array([factor])))[0, 0, 0]  # noqa: E731
    np.testing.assert_allclose(of(colour.add_brightness, 1.3), [0.5, 0.7, 0.9], atol=1e-6)
    np.testing.assert_allclose(of(colour.scale_brightness, 2.0), [0.4, 0.8, 1.0], atol=1e-6)
    grey = 0.2989 * 0.2 + 0.587 * 0.4 + 0.114 * 0.6
    np.testing.assert_allclose(of(colour.contrast_about_mean, 0.0), [grey] * 3, atol=1e-6)
    np.testing.assert_allclose(of(colour.blend_with_grey, 0.0), [grey] * 3, atol=1e-6)
    np.testing.assert_allclose(of(colour.scale_saturation, 0.0), [0.6] * 3, atol=1e-6)
    np.testing.assert_allclose(of(colour.shift_hue, 1 / 3), [0.6, 0.2, 0.4], atol=1e-6)


def test_every_sample_follows_its_own_order():
    factors = [jnp.full(2, f) for f in (1.3, 0.5, 1.0, 0.0)]
    images = jnp.full((2, 1, 1, 3), 0.8)
    jittered = colour.jitter_additive(images, *factors, jnp.array([[0, 1, 2, 3], [1, 0, 2, 3]]))
    np.testing.assert_allclose(jittered[:, 0, 0, 0], [0.5, 0.7], atol=1e-6)


def test_frames_of_a_sample_share_one_draw():
    same = jnp.broadcast_to(IMAGES[:, :1], IMAGES.shape)
    jittered = colour.jitter_torchvision(same, jax.random.key(3), probability=1.0, contrast=0.0)
    np.testing.assert_array_equal(jittered[:, 0], jittered[:, 1])


def test_samples_draw_differently_and_stay_in_range():
    same = jnp.broadcast_to(IMAGES[:1], IMAGES.shape)
    jittered = colour.jitter_torchvision(same, jax.random.key(3), probability=1.0)
    assert not np.allclose(jittered[0], jittered[1], atol=1e-3)
    assert jittered.min() >= 0
    assert jittered.max() <= 1


def test_probability_zero_changes_nothing():
    np.testing.assert_array_equal(colour.jitter_torchvision(IMAGES, jax.random.key(3), probability=0.0), IMAGES)


def test_ranges_are_respected():
    grey = jnp.full((64, 1, 1, 3), 0.5)
    bright = colour.jitter_torchvision(
        grey, jax.random.key(1), brightness=0.2, contrast=0, saturation=0, hue=0, probability=1.0
    )
    assert 0.4 <= bright.min() < 0.42
    assert 0.58 < bright.max() <= 0.6
