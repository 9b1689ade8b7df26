"""g02: back-projection, projection, border sampling and gradients; case b has points behind the camera."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.geometry import se3
from sde_seg_jax.geometry.warp import back_project, project, sample_bilinear, warp

RECORDED = recordings("g02_warp")
MOTIONS = {"a": se3.transform, "b": se3.transform, "c": se3.inverse_transform}


def cameras(rec, dtype):
    return (jnp.asarray(rec.input(k, dtype)[:, :3, :3]) for k in ("K", "inv_K"))


def motion(rec, case, dtype):
    return MOTIONS[case](*(jnp.asarray(rec.input(f"{k}_{case}", dtype)[:, 0]) for k in ("axisangle", "translation")))


@pytest.mark.parametrize("rec", RECORDED)
@pytest.mark.parametrize("case", MOTIONS)
@both_precisions
def test_points_pixels_and_image(rec, case, dtype):
    depth, image = (jnp.asarray(nhwc(rec.input(k, dtype))) for k in ("depth", "image"))
    k, k_inverse = cameras(rec, dtype)
    batch, height, width, _ = depth.shape
    source_from_target = motion(rec, case, dtype)
    rec.assert_matches(f"T_{case}", source_from_target)

    points = back_project(depth, k_inverse)
    flat = np.concatenate([points, np.ones_like(depth)], -1).reshape(batch, height * width, 4)
    if f"out64.cam_{case}" in rec:
        rec.assert_matches(f"cam_{case}", np.swapaxes(flat, 1, 2))

    xy = project(points, k, source_from_target, rec.params["eps"])
    unit = 2 * np.asarray(xy) / np.array([width - 1, height - 1], dtype) - 1  # recorded in [-1,1]
    rec.assert_matches(f"pix_{case}", unit)
    behind = (points * source_from_target[:, None, None, 2, :3]).sum(-1) + source_from_target[:, None, None, 2, 3]
    rec.assert_matches(f"n_behind_{case}", np.int64((np.asarray(behind) < 0).sum()))
    rec.assert_matches(f"n_oob_{case}", np.int64((np.abs(unit) > 1).any(-1).sum()))
    rec.assert_matches(f"warp_{case}", nchw(sample_bilinear(image, xy)))


@pytest.mark.parametrize("rec", RECORDED)
@pytest.mark.parametrize("case", MOTIONS)
@both_precisions
def test_gradients(rec, case, dtype):
    k, k_inverse = cameras(rec, dtype)
    w = jnp.asarray(nhwc(rec.input("w", dtype)))

    def weighted(depth, image, source_from_target):
        return (warp(image, depth, k, k_inverse, source_from_target) * w).sum()

    parameters = [jnp.asarray(rec.input(f"{k}_{case}", dtype)[:, 0]) for k in ("axisangle", "translation")]
    source_from_target, pull = jax.vjp(MOTIONS[case], *parameters)
    images = [jnp.asarray(nhwc(rec.input(k, dtype))) for k in ("depth", "image")]
    by_depth, by_image, by_motion = jax.jit(jax.grad(weighted, (0, 1, 2)))(*images, source_from_target)
    rec.assert_matches(f"grad_depth_{case}", nchw(by_depth), outliers=True)
    rec.assert_matches(f"grad_image_{case}", nchw(by_image), outliers=True)
    rec.assert_matches(f"grad_T_{case}", by_motion)
    for name, gradient in zip(("axisangle", "translation"), pull(by_motion), strict=True):
        rec.assert_matches(f"grad_{name}_{case}", gradient[:, None])
