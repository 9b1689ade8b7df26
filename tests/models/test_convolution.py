"""Convolution and pooling borders, computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sde_seg_jax.models.convolution import convolve
from sde_seg_jax.models.layers import Conv
from sde_seg_jax.models.max_pool import max_pool
from sde_seg_jax.models.padding import reflect, zeros

IMAGE = np.arange(1.0, 31.0, dtype=np.float32).reshape(1, 5, 6, 1)


def direct(x, kernel, stride, dilation, mode):
    """Cross-correlation by loops on one channel."""
    size = kernel.shape[0]
    margin = dilation * (size // 2)
    x = np.pad(x[0, :, :, 0], margin, mode=mode)
    reach = dilation * (size - 1) + 1
    rows, columns = (range(0, n - reach + 1, stride) for n in x.shape)
    return np.array(
        [[(x[i : i + reach : dilation, j : j + reach : dilation] * kernel).sum() for j in columns] for i in rows]
    )


@pytest.mark.parametrize(
    ("size", "stride", "dilation", "pad"),
    [
        (3, 1, 1, zeros),
        (3, 2, 1, zeros),
        (7, 2, 1, zeros),
        (3, 1, 2, zeros),
        (3, 1, 1, reflect),
        (1, 2, 1, zeros),
    ],
)
def test_convolution_is_padded_alike_on_all_sides(size, stride, dilation, pad):
    kernel = np.random.default_rng(0).normal(size=(size, size, 1, 1)).astype(np.float32)
    conv = Conv(1, size, stride, dilation, use_bias=False, pad=pad)
    got = conv.apply({"params": {"kernel": kernel}}, IMAGE)
    mode = "reflect" if pad is reflect else "constant"
    np.testing.assert_allclose(
        got[0, :, :, 0], direct(IMAGE, kernel[:, :, 0, 0], stride, dilation, mode), rtol=1e-4, atol=1e-3
    )


def test_max_pool_ignores_what_is_outside():
    got = max_pool(-IMAGE)[0, :, :, 0]
    expected = [[-1, -2, -4], [-7, -8, -10], [-19, -20, -22]]
    np.testing.assert_array_equal(got, np.array(expected, np.float32))


def test_bfloat16_convolution_keeps_float32_parameters():
    conv = Conv(2, dtype=jax.numpy.bfloat16)
    y, made = conv.init_with_output(jax.random.key(0), IMAGE)
    assert y.dtype == jax.numpy.bfloat16
    assert {leaf.dtype.name for leaf in jax.tree.leaves(made)} == {"float32"}


FORMS = {  # name -> (height, width, channels, taps, stride, dilation): every form that `convolve` may take
    "a few pixels": (2, 4, 5, 3, 1, 1),
    "a few pixels, strided": (4, 7, 5, 3, 2, 1),
    "a few pixels, dilated beyond the map": (2, 4, 5, 3, 1, 6),
    "a few pixels, pointwise": (2, 3, 5, 1, 1, 1),
    "a few pixels, pointwise, strided": (5, 6, 5, 1, 2, 1),
    "an image": (16, 18, 3, 7, 2, 1),
    "dilated": (8, 9, 5, 3, 1, 2),
    "plain": (8, 9, 5, 3, 2, 1),
}


@pytest.mark.parametrize("pad", [zeros, reflect])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_convolution(form, pad):
    height, width, channels, taps, stride, dilation = FORMS[form]
    margin = dilation * (taps // 2)
    if pad is reflect and margin >= min(height, width):
        pytest.skip("a map cannot be mirrored further than its size")
    with jax.enable_x64(True):
        random = np.random.default_rng(0)
        x = jnp.asarray(random.normal(size=(2, height, width, channels)))
        kernel = jnp.asarray(random.normal(size=(taps, taps, channels, 4)))

        def plain(x, kernel):
            return lax.conv_general_dilated(
                pad(x, margin), kernel, (stride, stride), "VALID",
                rhs_dilation=(dilation, dilation), dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )  # fmt: skip

        def ours(x, kernel):
            return convolve(x, kernel, stride=stride, dilation=dilation, pad=pad)

        results = [jax.vjp(f, x, kernel) for f in (ours, plain)]
        dy = jnp.asarray(random.normal(size=results[1][0].shape))
        for got, expected in zip(*((y, *pull(dy)) for y, pull in results), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)
