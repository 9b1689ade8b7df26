"""Every form of a convolution against XLA's own, in all directions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sde_seg_jax.models.undilated import convolution

CASES = {  # (batch, height, width, channels, features), taps, stride, margin
    "3x3": ((2, 5, 7, 3, 4), 3, 1, 1),
    "3x3 of a padded map": ((2, 7, 6, 3, 2), 3, 1, 0),
    "3x3, stride 2, even": ((3, 6, 8, 2, 3), 3, 2, 1),
    "3x3, stride 2, odd": ((1, 7, 5, 2, 3), 3, 2, 1),
    "7x7, stride 2": ((2, 12, 10, 3, 2), 7, 2, 3),
    "5x5, stride 3": ((2, 11, 13, 2, 2), 5, 3, 2),
    "1x1": ((2, 3, 5, 4, 3), 1, 1, 0),
    "1x1, stride 2": ((2, 5, 6, 4, 3), 1, 2, 0),
}


def by_xla(x, kernel, stride, margin):
    window = [(margin, margin)] * 2
    return lax.conv_general_dilated(x, kernel, (stride, stride), window, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def drawn(case, dtype):
    (batch, height, width, channels, features), taps, stride, margin = CASES[case]
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(batch, height, width, channels)), dtype)
    kernel = jnp.asarray(rng.normal(size=(taps, taps, channels, features)), dtype)
    dy = jnp.asarray(rng.normal(size=by_xla(x, kernel, stride, margin).shape), dtype)
    return x, kernel, dy, stride, margin


@pytest.mark.parametrize("case", CASES)
def test_all_directions_are_xlas_in_float64(case):
    with jax.enable_x64(True):
        x, kernel, dy, stride, margin = drawn(case, np.float64)
        ours, xla = (jax.vjp(lambda *a: f(*a, stride, margin), x, kernel) for f in (convolution, by_xla))  # noqa: B023
        for name, got, expected in zip(("y", "dx", "dk"), (ours[0], *ours[1](dy)), (xla[0], *xla[1](dy)), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("case", ["3x3", "1x1", "7x7, stride 2"])
def test_gradients_of_bfloat16_are_rounded_once(case):
    """Sums are float32: off by no more than rounding the exact gradient."""
    x, kernel, dy, stride, margin = drawn(case, jnp.bfloat16)
    got = jax.vjp(lambda k: convolution(x, k, stride, margin), kernel)[1](dy)[0]
    with jax.enable_x64(True):
        wide = [jnp.asarray(np.asarray(a, np.float64)) for a in (x, kernel, dy)]
        exact = jax.vjp(lambda k: by_xla(wide[0], k, stride, margin), wide[1])[1](wide[2])[0]
    assert got.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(got, np.float64), exact, rtol=2**-8, atol=1e-3)


def test_accelerators_run_what_xla_makes_of_it():
    """No loop and no product in what is lowered for a GPU, forward and back."""
    x, kernel, dy, stride, margin = drawn("3x3", np.float32)

    def both(x, kernel, dy):
        y, pull = jax.vjp(lambda *a: convolution(*a, stride, margin), x, kernel)
        return y, pull(dy)

    traced = jax.jit(both).trace(x, kernel, dy)
    on_gpu, on_cpu = (traced.lower(lowering_platforms=(name,)).as_text() for name in ("cuda", "cpu"))
    assert on_gpu.count("stablehlo.convolution") == 3
    assert "dot_general" not in on_gpu
    assert on_cpu.count("stablehlo.convolution") == 2
    assert "dot_general" in on_cpu
