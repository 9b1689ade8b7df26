"""Reflection against JAX's own, bit for bit, and how little code it compiles to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.models.padding import reflect


def plain(x, margin):
    return jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")


@pytest.mark.parametrize("margin", [0, 1, 2])
@pytest.mark.parametrize("size", [(3, 3), (3, 4), (5, 8)])
def test_reflection_and_its_gradient_are_those_of_pad(size, margin):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.integers(-99, 99, (2, *size, 3)), jnp.float32)  # sums are exact in any order
    results = [jax.vjp(lambda x, f=f: f(x, margin), x) for f in (reflect, plain)]
    dy = jnp.asarray(random.integers(-99, 99, results[1][0].shape), jnp.float32)
    for got, expected in zip(*((y, *pull(dy)) for y, pull in results), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_two_pixels_are_enough_for_a_margin_of_one():
    got = reflect(jnp.arange(4.0).reshape(1, 2, 2, 1), 1)[0, :, :, 0]
    np.testing.assert_array_equal(got, [[3, 2, 3, 2], [1, 0, 1, 0], [3, 2, 3, 2], [1, 0, 1, 0]])


def test_the_gradient_is_one_pass():
    x = jnp.zeros((1, 8, 8, 2))
    program = jax.jit(jax.grad(lambda x: (reflect(x, 1) ** 2).sum())).lower(x).as_text()
    assert not [name for name in ("scatter", "concatenate", "stablehlo.pad") if name in program]
