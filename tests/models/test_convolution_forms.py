"""Forms of a convolution against XLA's own, in all directions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sde_seg_jax.models.convolution import convolve

CASES = {  # (batch, height, width, channels, features), taps, stride
    "3x3": ((2, 5, 7, 3, 4), 3, 1),
    "3x3, stride 2": ((1, 11, 13, 2, 3), 3, 2),
    "1x1": ((2, 3, 6, 4, 3), 1, 1),
    "1x1, stride 2": ((2, 9, 10, 4, 3), 1, 2),
    "1x1, few positions": ((2, 3, 5, 4, 3), 1, 1),
    "3x3, few positions": ((2, 4, 4, 4, 3), 3, 1),
}


def by_xla(x, kernel, stride):
    window = [(len(kernel) // 2,) * 2] * 2
    return lax.conv_general_dilated(x, kernel, (stride, stride), window, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def drawn(case, dtype):
    (batch, height, width, channels, features), taps, stride = CASES[case]
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(batch, height, width, channels)), dtype)
    kernel = jnp.asarray(rng.normal(size=(taps, taps, channels, features)), dtype)
    dy = jnp.asarray(rng.normal(size=by_xla(x, kernel, stride).shape), dtype)
    return x, kernel, dy, stride


@pytest.mark.parametrize("case", CASES)
def test_all_directions_are_xlas_in_float64(case):
    with jax.enable_x64(True):
        x, kernel, dy, stride = drawn(case, np.float64)
        ours = jax.vjp(lambda x, kernel: convolve(x, kernel, stride=stride), x, kernel)
        xla = jax.vjp(lambda x, kernel: by_xla(x, kernel, stride), x, kernel)
        for name, got, expected in zip(("y", "dx", "dk"), (ours[0], *ours[1](dy)), (xla[0], *xla[1](dy)), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12, err_msg=name)


def test_accelerators_run_what_xla_makes_of_it():
    x, kernel, dy, stride = drawn("1x1", np.float32)

    def both(x, kernel, dy):
        y, pull = jax.vjp(lambda *a: convolve(*a, stride=stride), x, kernel)
        return y, pull(dy)

    traced = jax.jit(both).trace(x, kernel, dy)
    on_gpu, on_cpu = (traced.lower(lowering_platforms=(name,)).as_text() for name in ("cuda", "cpu"))
    assert on_gpu.count("stablehlo.convolution") == 3
    assert "dot_general" not in on_gpu
    assert "stablehlo.convolution" not in on_cpu
    assert "dot_general" in on_cpu
