"""Resizing facts on images small enough to check by eye."""

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.imaging.resize import (
    area_images,
    area_pyramid,
    columns_first,
    resize_bilinear,
    resize_bilinear_corners,
    rows_first,
    upsample_nearest_2x,
)

ROW = jnp.array([0.0, 4.0, 8.0]).reshape(1, 1, 3, 1)


def test_half_pixel_centres_extend_the_border():
    np.testing.assert_allclose(resize_bilinear(ROW, (1, 6))[0, 0, :, 0], [0, 1, 3, 5, 7, 8])


def test_half_pixel_downsampling_does_not_average_beyond_two_pixels():
    np.testing.assert_allclose(resize_bilinear(jnp.arange(8.0).reshape(1, 1, 8, 1), (1, 2))[0, 0, :, 0], [1.5, 5.5])


def test_aligned_corners_keep_the_corners():
    np.testing.assert_allclose(resize_bilinear_corners(ROW, (1, 5))[0, 0, :, 0], [0, 2, 4, 6, 8])
    np.testing.assert_allclose(resize_bilinear_corners(ROW, (1, 1))[0, 0, :, 0], [0])


@pytest.mark.parametrize("resize", [resize_bilinear, resize_bilinear_corners])
def test_one_pixel_fills_everything(resize):
    np.testing.assert_array_equal(resize(jnp.full((1, 1, 1, 2), 3.0), (4, 5)), np.full((1, 4, 5, 2), 3.0))


@pytest.mark.parametrize("resize", [resize_bilinear, resize_bilinear_corners])
def test_the_same_size_is_the_same_array(resize):
    assert resize(ROW, (1, 3)) is ROW


def test_doubling_repeats_every_pixel():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    np.testing.assert_array_equal(upsample_nearest_2x(jnp.asarray(x)), x.repeat(2, axis=1).repeat(2, axis=2))


def test_pyramid_levels_are_means():
    levels = area_pyramid(jnp.arange(32.0).reshape(1, 4, 8, 1), 3)
    assert [level.shape[1:3] for level in levels] == [(4, 8), (2, 4), (1, 2)]
    np.testing.assert_allclose(levels[1][0, 0, :, 0], [4.5, 6.5, 8.5, 10.5])
    np.testing.assert_allclose([level.mean() for level in levels], 15.5)


def test_a_pyramid_refuses_sizes_it_cannot_halve():
    with pytest.raises(ValueError, match=r"multiples of 4, got \(4, 6\)"):
        area_pyramid(jnp.zeros((1, 4, 6, 1)), 3)


def test_an_image_at_any_size_has_the_means_of_what_its_pixels_cover():
    found = area_images(ROW, [(1, 2)])[0]
    np.testing.assert_allclose(found[0, 0, :, 0], [(0 + 0.5 * 4) / 1.5, (0.5 * 4 + 8) / 1.5], rtol=1e-6)
    x = jnp.asarray(np.random.default_rng(0).random((1, 6, 9, 2), np.float32))
    thirds = x.reshape(1, 2, 3, 3, 3, 2).mean((2, 4))
    np.testing.assert_allclose(area_images(x, [(2, 3)])[0], thirds, rtol=1e-5)


def test_images_at_halved_sizes_are_the_pyramid():
    x = jnp.asarray(np.random.default_rng(0).random((1, 8, 12, 3), np.float32))
    for a, b in zip(area_images(x, [(8, 12), (4, 6), (2, 3)]), area_pyramid(x, 3), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [(4, 7), (9, 2), (3, 5)])
def test_accelerators_align_corners_as_a_cpu(size):
    x = jnp.asarray(np.random.default_rng(0).random((2, 3, 5, 2)), jnp.float32)
    expected = np.asarray(rows_first(size, x))
    np.testing.assert_allclose(columns_first(size, x), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(resize_bilinear_corners(x, size), expected, rtol=0, atol=1e-6)
