import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.imaging.colour import blend_with_grey, contrast_about_mean, scale_brightness, shift_hue
from sde_seg_jax.mixing.strong import Strong, strong_augment

BATCH = 4
VISIBLE = (1.0, 1.15)  # a blur of 0.15 pixels is none at float32 resolution


@jax.jit
def augment(images, key, jitter_probability=0.8, blur_probability=0.5):
    return strong_augment(
        images, key, jitter_probability=jitter_probability, blur_probability=blur_probability, sigma=VISIBLE
    )


@jax.jit
def augment_per_batch(images, key, jitter_probability=0.8, blur_probability=0.5):
    return strong_augment(
        images,
        key,
        jitter_probability=jitter_probability,
        blur_probability=blur_probability,
        sigma=VISIBLE,
        per_batch=True,
    )


def same_images():
    """One random image, repeated: differences between results are differences between draws."""
    image = np.random.default_rng(0).uniform(0.3, 0.7, (1, 24, 32, 3))
    return jnp.asarray(np.repeat(image, BATCH, axis=0), jnp.float32)


def keys(count):
    return jax.random.split(jax.random.key(5), count)


def changed(function, count, **options):
    """[count, BATCH]: which images a call with each key changes."""
    images = same_images()
    results = jax.lax.map(lambda key: function(images, key, **options), keys(count))
    return np.asarray((results != images[None]).any(axis=(2, 3, 4)))


@pytest.mark.parametrize("function", [augment, augment_per_batch])
def test_probability_zero_leaves_the_images_bitwise_alone(function):
    assert not changed(function, 4, jitter_probability=0.0, blur_probability=0.0).any()


def test_augmented_images_stay_within_zero_and_one():
    images = jnp.asarray(np.random.default_rng(1).integers(0, 2, (BATCH, 24, 32, 3)), jnp.float32)
    for key in keys(8):
        result = augment(images, key, jitter_probability=1.0, blur_probability=1.0)
        assert result.shape == images.shape
        assert result.dtype == images.dtype
        assert result.min() >= 0
        assert result.max() <= 1 + 1e-6  # a blur of ones sums kernel weights in float32


def test_a_single_image_is_augmented():
    result = augment(same_images()[:1], keys(1)[0], jitter_probability=1.0)
    assert result.shape == (1, 24, 32, 3)
    assert (result != same_images()[:1]).any()


def test_each_image_draws_for_itself():
    for only in ({"jitter_probability": 0.0}, {"blur_probability": 0.0}):
        options = {"jitter_probability": 1.0, "blur_probability": 1.0, **only}
        result = np.asarray(augment(same_images(), keys(1)[0], **options))
        assert len(np.unique(result.reshape(BATCH, -1), axis=0)) == BATCH


def test_jitter_and_blur_are_applied_with_their_probabilities():
    # 50 calls of 4 images: within 4 standard deviations of 0.8 and 0.5
    assert 0.68 < changed(augment, 50, blur_probability=0.0).mean() < 0.92
    assert 0.35 < changed(augment, 50, jitter_probability=0.0).mean() < 0.65


def test_a_draw_per_batch_applies_to_all_images_or_none():
    for only in ({"jitter_probability": 0.0}, {"blur_probability": 0.0}):
        hit = changed(augment_per_batch, 16, **only)
        assert {tuple(row) for row in hit.tolist()} == {(True,) * BATCH, (False,) * BATCH}


def test_a_draw_per_batch_blurs_alike_but_jitters_each_image_by_its_own_factors():
    images, key = same_images(), keys(1)[0]
    blurred = np.asarray(augment_per_batch(images, key, jitter_probability=0.0, blur_probability=1.0))
    np.testing.assert_array_equal(blurred, np.repeat(blurred[:1], BATCH, axis=0))
    jittered = np.asarray(augment_per_batch(images, key, jitter_probability=1.0, blur_probability=0.0))
    assert len(np.unique(jittered.reshape(BATCH, -1), axis=0)) == BATCH


def test_jitter_without_strength_changes_rounding_only():
    images, options = same_images(), {"jitter_probability": 1.0, "strength": 0.0, "blur_probability": 0.0}
    result = jax.jit(lambda x, key: strong_augment(x, key, **options))(images, keys(1)[0])
    np.testing.assert_allclose(result, images, rtol=0, atol=1e-6)  # RGB to HSV and back, twice, in float32


@pytest.mark.parametrize(
    "options", [{"strength": 0.6}, {"strength": -0.1}, {"sigma": (0.0, 1.0)}, {"sigma": (2.0, 1.0)}]
)
def test_impossible_ranges_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        strong_augment(same_images(), keys(1)[0], **options)


def test_images_lose_their_color_as_in_torchvision():
    options = {"jitter_probability": 0.0, "blur_probability": 0.0, "gray_probability": 0.5}
    images = same_images()
    found = jax.jit(lambda x, k: jax.lax.map(lambda key: strong_augment(x, key, **options), k))(images, keys(20))
    gray = np.asarray(images) @ np.array([0.2989, 0.587, 0.114], np.float32)  # rgb_to_grayscale
    hit = (np.asarray(found) != images[None]).any((2, 3, 4))
    assert 0.3 < hit.mean() < 0.7
    wanted = np.broadcast_to(gray[None, ..., None], found.shape)[hit]
    np.testing.assert_allclose(np.asarray(found)[hit], wanted, rtol=1e-5)


def test_torchvisions_jitter_is_one_of_its_orders_of_the_four_operations():
    options = {"jitter_probability": 1.0, "blur_probability": 0.0, "strength": 0.5, "hue": 0.25, "kind": "torchvision"}
    image, key = same_images()[:1], jax.random.key(3)
    found = jax.jit(lambda x, key: strong_augment(x, key, **options))(image, key)
    _, order, factors, _, _ = jax.random.split(key, 5)  # as there
    drawn = jax.random.uniform(factors, (4, 1), image.dtype, -1, 1)
    steps = [
        (scale_brightness, 1 + 0.5 * drawn[0]),
        (contrast_about_mean, 1 + 0.5 * drawn[1]),
        (blend_with_grey, 1 + 0.5 * drawn[2]),
        (shift_hue, 0.25 * drawn[3]),
    ]
    wanted = image
    for number in np.asarray(jax.random.permutation(jax.random.split(order, 1)[0], 4)):
        operation, factor = steps[number]
        wanted = operation(wanted, factor)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"jitter_kind": "torch"}, "did you mean|known"), ({"blur_sigma": (2.0, 1.0)}, r"task\.blur_sigma=\(2.0, 1.0\)")],
)
def test_options_that_cannot_be_are_refused_at_the_start(options, message):
    with pytest.raises(ValueError, match=message):
        Strong(**options)
