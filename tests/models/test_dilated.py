"""The dilated convolution equals XLA's own, gradients included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sde_seg_jax.models.dilated import dilated_convolution


def plain(x, kernel, dilation):
    margin = dilation * (kernel.shape[0] // 2)
    return lax.conv_general_dilated(
        x, kernel, (1, 1), [(margin, margin)] * 2,
        rhs_dilation=(dilation, dilation), dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def random(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


@pytest.mark.parametrize("channels", [(2, 5), (5, 2)], ids=["widens", "narrows"])
@pytest.mark.parametrize(("size", "taps", "dilation"), [((7, 6), 3, 2), ((4, 5), 3, 6), ((6, 9), 5, 2)])
def test_values_and_gradients_are_those_of_the_convolution(channels, size, taps, dilation):
    with jax.enable_x64(True):
        x, kernel = random(2, *size, channels[0]), random(taps, taps, *channels)
        cotangent = random(2, *size, channels[1])
        ours, pull = jax.vjp(lambda x, k: dilated_convolution(x, k, dilation), x, kernel)
        theirs, reference = jax.vjp(lambda x, k: plain(x, k, dilation), x, kernel)
        np.testing.assert_array_equal(ours, theirs)
        for got, expected in zip(pull(cotangent), reference(cotangent), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_no_convolution_is_as_large_as_the_map():
    """The kernel gradient's window would be the whole map: 8x8 here, against 3x3."""
    x, kernel = jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 4))
    gradient = jax.grad(lambda k: dilated_convolution(x, k, 2).sum())
    text = jax.jit(gradient).lower(kernel).as_text()
    assert "dot_general" in text
    assert "convolution" not in text  # nothing else is needed of the forward pass
