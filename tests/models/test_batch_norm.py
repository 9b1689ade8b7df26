"""Batch normalisation: PyTorch's statistics, precision, single values, sharded batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sde_seg_jax.models.batch_norm import BatchNorm

NORM = BatchNorm()


def variables(channels: int, mean=0.0, var=1.0) -> dict:
    return {
        "params": {"scale": jnp.full(channels, 2.0), "bias": jnp.full(channels, 0.5)},
        "batch_stats": {"mean": jnp.full(channels, mean), "var": jnp.full(channels, var)},
    }


def random(shape, dtype=np.float32):
    return np.random.default_rng(0).normal(3.0, 2.0, shape).astype(dtype)


def train(state, x):
    y, updated = NORM.apply(state, x, train=True, mutable=["batch_stats"])
    return y, updated["batch_stats"]


def test_training_normalises_with_the_biased_and_stores_the_unbiased_variance():
    x = random((2, 3, 4, 5))
    y, running = train(variables(5), x)
    flat = x.reshape(-1, 5).astype(np.float64)
    expected = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5) * 2.0 + 0.5
    np.testing.assert_allclose(y.reshape(-1, 5), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(running["mean"], 0.1 * flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(running["var"], 0.9 + 0.1 * flat.var(0, ddof=1), rtol=1e-5)


def test_evaluation_uses_running_statistics():
    x = random((1, 2, 2, 3))
    y = NORM.apply(variables(3, mean=1.0, var=4.0), x, train=False)
    np.testing.assert_allclose(y, (x - 1.0) / np.sqrt(4.0 + 1e-5) * 2.0 + 0.5, rtol=1e-5)


def test_training_without_mutable_statistics_leaves_them():
    x = random((2, 3, 4, 5))
    np.testing.assert_array_equal(NORM.apply(variables(5), x, train=True), train(variables(5), x)[0])


def test_single_value_is_normalised_with_running_statistics():
    x, state = random((1, 1, 1, 4)), variables(4, mean=1.0, var=4.0)
    y, running = train(state, x)
    np.testing.assert_array_equal(y, NORM.apply(state, x, train=False))
    np.testing.assert_allclose(running["mean"], 0.9 + 0.1 * x.reshape(4), rtol=1e-6)
    np.testing.assert_array_equal(running["var"], np.full(4, 4.0, np.float32))


@pytest.mark.parametrize("shape", [(1, 1, 1, 4), (2, 1, 1, 4)], ids=["one value", "two values"])
def test_gradients_are_finite_where_the_variance_vanishes(shape):
    x = np.full(shape, 7.0, np.float32)
    grad = jax.grad(lambda x: train(variables(4), x)[0].sum())(x)
    assert np.isfinite(grad).all()


def test_bfloat16_input_keeps_float32_statistics():
    x = jnp.asarray(random((4, 8, 8, 3)), jnp.bfloat16)
    y, running = train(variables(3), x)
    exact = np.asarray(x, np.float64).reshape(-1, 3)
    assert y.dtype == jnp.bfloat16
    assert running["mean"].dtype == running["var"].dtype == jnp.float32
    np.testing.assert_allclose(running["mean"], 0.1 * exact.mean(0), rtol=1e-5)
    np.testing.assert_allclose(running["var"], 0.9 + 0.1 * exact.var(0, ddof=1), rtol=1e-5)


def test_statistics_of_a_sharded_batch_are_global():
    x = random((4, 2, 2, 3))
    mesh = Mesh(np.array(jax.devices()[:2]), ("batch",))
    sharded = jax.device_put(x, NamedSharding(mesh, PartitionSpec("batch")))
    for got, expected in zip(
        jax.tree.leaves(jax.jit(train)(variables(3), sharded)),
        jax.tree.leaves(train(variables(3), x)),
        strict=True,
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mean", [0.0, 10.0, 100.0, 1000.0, 3000.0])
@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
def test_a_mean_far_from_zero_and_from_the_running_one_costs_no_digits(mean, dtype):
    """Of unit deviation: fog, night, or an imported network. Off by half of float32's spacing there."""
    x = np.random.default_rng(1).normal(mean, 1.0, (4, 32, 64, 8)).astype(dtype)
    state = {"params": {"scale": jnp.ones(8), "bias": jnp.zeros(8)}, "batch_stats": variables(8)["batch_stats"]}
    cotangent = np.random.default_rng(2).normal(size=x.shape)
    (y, running), pull = jax.vjp(lambda x: train(state, x), jnp.asarray(x))
    rest = jax.tree.map(jnp.zeros_like, running)
    (gradient,) = pull((jnp.asarray(cotangent, y.dtype), rest))

    exact = x.astype(np.float64)
    axes, count = (0, 1, 2), x.size / 8
    rate = 1 / np.sqrt(exact.var(axes) + 1e-5)
    normal = (exact - exact.mean(axes)) * rate
    dy = np.asarray(jnp.asarray(cotangent, y.dtype), np.float64)
    expected = rate * (dy - dy.mean(axes) - normal * (dy * normal).sum(axes) / count)
    bound = 2e-6 + np.spacing(np.float32(mean)) / 2
    ulp = 0 if dtype == np.float32 else 2.0**-8  # of the result
    np.testing.assert_allclose(np.asarray(y, np.float64), normal, rtol=ulp, atol=bound)
    np.testing.assert_allclose(np.asarray(gradient, np.float64), expected, rtol=ulp, atol=bound)
    np.testing.assert_allclose(running["mean"], 0.1 * exact.mean(axes), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(running["var"], 0.9 + 0.1 * exact.var(axes, ddof=1), rtol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
def test_the_gradient_is_that_of_the_definition(dtype):
    def defined(x, scale, bias):
        wide = x.astype(jnp.float32)
        mean, var = wide.mean((0, 1, 2), keepdims=True), wide.var((0, 1, 2), keepdims=True)
        return (wide - mean) / jnp.sqrt(var + 1e-5) * scale[None, None, None] + bias[None, None, None]

    def ours(x, scale, bias):
        state = variables(4)
        state["params"] = {"scale": scale, "bias": bias}
        return train(state, x)[0].astype(jnp.float32)

    x, cotangent = jnp.asarray(random((3, 8, 16, 4)), dtype), np.random.default_rng(2).normal(size=(3, 8, 16, 4))
    arguments = (x, jnp.array([0.5, 1.0, 2.0, -1.0]), jnp.arange(4.0))
    gradients = [jax.vjp(f, *arguments)[1](jnp.asarray(cotangent, jnp.float32)) for f in (ours, defined)]
    # bfloat16: the result is rounded, so is the cotangent on its way back (2^-9 of it)
    tolerance = 1e-5 if dtype == np.float32 else 2**-7
    for got, expected in zip(*gradients, strict=True):
        got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
        assert np.linalg.norm(got - expected) <= tolerance * np.linalg.norm(expected)


def test_the_backward_pass_keeps_no_float32_copy_of_a_bfloat16_map():
    x = jnp.asarray(random((2, 8, 16, 4)), jnp.bfloat16)
    _, pull = jax.vjp(lambda x: train(variables(4), x)[0], x)
    assert not [kept for kept in jax.tree.leaves(pull) if kept.size == x.size and kept.dtype == jnp.float32]
