"""Pooling and standardizing features, against PyTorch's and NumPy's."""

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.selection import features
from sde_seg_jax.selection.features import adaptive_pool, standardize

KINDS = {"average": "adaptive_avg_pool2d", "max": "adaptive_max_pool2d"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(8, 16), (7, 13), (4, 8), (3, 5)])
def test_pooling_is_that_of_torch_for_every_size(kind, shape):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, *shape, 3)).astype(np.float32)
    expected = getattr(torch.nn.functional, KINDS[kind])(torch.from_numpy(np.moveaxis(x, -1, 1)), (4, 8))
    actual = adaptive_pool(jnp.asarray(x), (4, 8), kind)
    np.testing.assert_allclose(actual, np.moveaxis(expected.numpy(), 1, -1), rtol=1e-5, atol=1e-6)  # order of sums


def test_pooling_to_one_bin_is_the_mean():
    assert adaptive_pool(jnp.arange(6.0).reshape(1, 2, 3, 1), (1, 1)).tolist() == [[[[2.5]]]]


def test_unknown_pooling_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"unknown pooling 'sum'; use one of \['average', 'max'\]"):
        adaptive_pool(jnp.zeros((1, 4, 8, 2)), kind="sum")
    with pytest.raises(ValueError, match=r"got \(4, 8, 2\)"):
        adaptive_pool(jnp.zeros((4, 8, 2)))
    with pytest.raises(ValueError, match="at least 1x1"):
        adaptive_pool(jnp.zeros((1, 4, 8, 2)), (0, 8))


def test_standardized_channels_have_mean_zero_and_unbiased_std_one(monkeypatch):
    monkeypatch.setattr(features, "CHUNK_BYTES", 100)  # several chunks
    x = (5 + 3 * np.random.default_rng(0).standard_normal((7, 2, 3, 4))).astype(np.float32)
    before = x.copy()
    y = standardize(x)
    assert (y.dtype, y.shape) == (np.float32, x.shape)
    assert y.ctypes.data % 64 == 0
    np.testing.assert_allclose(y.mean((0, 1, 2), np.float64), 0, atol=1e-7)  # float32 results
    np.testing.assert_allclose(y.std((0, 1, 2), np.float64, ddof=1), 1, rtol=1e-7)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("value", [0, 0.1, 1e8])
def test_a_constant_channel_becomes_zero(value):
    x = np.random.default_rng(0).standard_normal((5, 2, 3, 2)).astype(np.float32)
    x[..., 1] = value
    y = standardize(x)
    assert not y[..., 1].any()
    assert y[..., 0].std() > 0.9


def test_a_single_number_becomes_zero():
    assert standardize(np.full((1, 1, 1, 1), 7, np.float32)).tolist() == [[[[0]]]]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_named_and_counted(value):
    x = np.zeros((4, 1, 2, 3), np.float32)
    x[1, 0, 1, 2] = x[3, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"features of sample 'b' are NaN or infinite \(2 of 4 samples\)"):
        standardize(x, ["a", "b", "c", "d"])
    with pytest.raises(ValueError, match="features of sample 1 are"):
        standardize(x)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        standardize(np.zeros((0, 4, 8, 2), np.float32))
