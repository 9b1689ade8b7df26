"""Max pooling equals XLA's window reduction, its gradient PyTorch's choice among equals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sde_seg_jax.models.max_pool import max_pool


def plain(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))


@pytest.mark.parametrize("size", [(8, 6), (7, 9), (5, 4)])
def test_values_and_gradients_are_those_of_the_window_reduction(size):
    random = np.random.default_rng(0)
    # few distinct values and many zeros, as after ReLU: ties in most windows
    x = jnp.asarray(np.maximum(random.integers(-3, 3, (2, *size, 3)), 0), jnp.float32)
    ours, pull = jax.vjp(max_pool, x)
    theirs, reference = jax.vjp(plain, x)
    dy = jnp.asarray(random.integers(1, 9, ours.shape), jnp.float32)  # whole numbers: sums are exact in any order
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(pull(dy)[0], reference(dy)[0])


def test_the_first_of_equal_pixels_takes_the_gradient():
    _, pull = jax.vjp(max_pool, jnp.zeros((1, 2, 2, 1)))
    np.testing.assert_array_equal(pull(jnp.ones((1, 1, 1, 1)))[0][0, ..., 0], [[1, 0], [0, 0]])


def test_nothing_is_scattered():
    text = jax.jit(jax.grad(lambda x: max_pool(x).sum())).lower(jnp.ones((1, 8, 8, 2))).as_text()
    assert "scatter" not in text


def test_negative_inputs_do_not_meet_the_padding():
    np.testing.assert_array_equal(max_pool(jnp.full((1, 4, 4, 1), -2.0)), np.full((1, 2, 2, 1), -2.0))


@pytest.mark.parametrize("pixel", [0, 4, 8])
def test_a_nan_anywhere_in_a_window_is_passed_on(pixel):
    x = jnp.zeros((1, 3, 3, 1)).at[0, pixel // 3, pixel % 3, 0].set(jnp.nan)
    np.testing.assert_array_equal(jnp.isnan(max_pool(x)), jnp.isnan(plain(x)))
