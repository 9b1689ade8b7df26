"""Gaussian blur facts."""

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.imaging.blur import blur_kernel_size, gaussian_blur, gaussian_kernel1d


def test_kernels_are_symmetric_and_sum_to_one():
    kernel = np.asarray(gaussian_kernel1d(7, jnp.array([0.5, 2.0])))
    np.testing.assert_allclose(kernel.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(kernel, kernel[:, ::-1])


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="expected an odd kernel size, got 4; use 5"):
        gaussian_kernel1d(4, jnp.ones(1))


def test_an_impulse_becomes_the_kernel_of_its_own_sigma():
    sigma = jnp.array([0.6, 1.1])
    image = jnp.zeros((2, 9, 11, 1)).at[:, 4, 5].set(1)
    blurred = gaussian_blur(image, sigma, (5, 7))
    rows, columns = gaussian_kernel1d(5, sigma), gaussian_kernel1d(7, sigma)
    np.testing.assert_allclose(blurred[:, 2:7, 2:9, 0], rows[:, :, None] * columns[:, None], atol=1e-7)


def test_borders_are_mirrored_without_repeating_the_edge():
    image = jnp.array([1.0, 2.0, 4.0, 8.0, 16.0]).reshape(1, 1, 5, 1)
    taps = np.asarray(gaussian_kernel1d(5, jnp.ones(1)))[0]
    mirrored = np.array([4, 2, 1, 2, 4, 8, 16, 8, 4])
    np.testing.assert_allclose(
        gaussian_blur(image, jnp.ones(1), (1, 5))[0, 0, :, 0], np.convolve(mirrored, taps, "valid"), rtol=1e-6
    )


def test_a_kernel_that_outgrows_the_mirror_is_refused():
    with pytest.raises(ValueError, match="kernel size 7 exceeds what a side of 3"):
        gaussian_blur(jnp.zeros((1, 3, 3, 1)), jnp.ones(1), (7, 7))


@pytest.mark.parametrize(("length", "size"), [(16, 1), (21, 3), (512, 51), (1024, 103)])
def test_kernel_sizes_are_odd_and_about_a_tenth(length, size):
    assert blur_kernel_size(length) == size
