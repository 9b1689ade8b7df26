"""g03: structural similarity, photometric error with and without it, smoothness; values and gradients."""

import jax
import jax.numpy as jnp
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.losses.photometric import absolute_error, photometric_error
from sde_seg_jax.losses.smoothness import edge_aware_variation
from sde_seg_jax.losses.ssim import ssim_error

RECORDED = recordings("g03_ssim_smooth")


@pytest.mark.parametrize("rec", RECORDED)
@pytest.mark.parametrize(
    ("function", "weight", "value", "gradients"),
    [
        (ssim_error, "w_ssim", "ssim", ("grad_ssim_x", "grad_ssim_y")),
        (photometric_error, "w_rep", "reproj", ("grad_reproj_pred", "grad_reproj_target")),
        (absolute_error, "w_rep", "reproj_nossim", ("grad_reproj_pred_nossim", "grad_reproj_target_nossim")),
    ],
    ids=["ssim", "photometric", "l1"],
)
@both_precisions
def test_error_maps(rec, function, weight, value, gradients, dtype):
    x, y = (jnp.asarray(nhwc(rec.input(k, dtype))) for k in ("x", "y"))
    both = jax.jit(lambda x, y, w: (function(x, y), jax.vjp(function, x, y)[1](w)))
    error, found = both(x, y, nhwc(rec.input(weight, dtype)))
    rec.assert_matches(value, nchw(error))
    for name, gradient in zip(gradients, found, strict=True):
        rec.assert_matches(name, nchw(gradient), outliers=True)


@pytest.mark.parametrize("rec", RECORDED)
@both_precisions
def test_variation_of_unnormalised_disparity(rec, dtype):
    disparity, image = (jnp.asarray(nhwc(rec.input(k, dtype))) for k in ("disp", "x"))
    value, (by_disparity, by_image) = jax.jit(jax.value_and_grad(edge_aware_variation, (0, 1)))(disparity, image)
    rec.assert_matches("smooth", value)
    rec.assert_matches("grad_smooth_disp", nchw(by_disparity))
    rec.assert_matches("grad_smooth_img", nchw(by_image))
