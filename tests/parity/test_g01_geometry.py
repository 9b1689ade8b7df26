"""g01: disparity to depth, axis-angle to motion, and their gradients, the zero rotation included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.geometry import se3
from sde_seg_jax.geometry.depth import disparity_to_depth

RECORDED = recordings("g01_geometry")


@pytest.mark.parametrize("rec", RECORDED)
@both_precisions
def test_depth_and_its_gradient(rec, dtype):
    disparity, w = nhwc(rec.input("disp", dtype)), nhwc(rec.input("w_depth", dtype))
    for i, (low, high) in enumerate(rec.params["depth_ranges"]):
        depth, pull = jax.vjp(lambda d, low=low, high=high: disparity_to_depth(d, low, high), disparity)
        rec.assert_matches(f"depth_{i}", nchw(depth))
        rec.assert_matches(f"scaled_disp_{i}", nchw(1 / depth))
        rec.assert_matches(f"grad_disp_{i}", nchw(pull(jnp.asarray(w))[0]))


@pytest.mark.parametrize("rec", RECORDED)
@both_precisions
def test_rotation(rec, dtype):
    rotation = se3.rotation_from_axis_angle(jnp.asarray(rec.input("axisangle", dtype)[:, 0]))
    homogeneous = np.tile(np.eye(4, dtype=dtype), (len(rotation), 1, 1))
    homogeneous[:, :3, :3] = rotation
    rec.assert_matches("rot", homogeneous)


@pytest.mark.parametrize("rec", RECORDED)
@pytest.mark.parametrize(
    ("motion", "suffix"), [(se3.transform, ""), (se3.inverse_transform, "_inv")], ids=["forward", "inverse"]
)
@both_precisions
def test_motion_and_its_gradients(rec, motion, suffix, dtype):
    axis_angle, translation = (jnp.asarray(rec.input(k, dtype)[:, 0]) for k in ("axisangle", "translation"))
    matrix, pull = jax.vjp(motion, axis_angle, translation)
    rec.assert_matches(f"T{suffix}", matrix)
    for name, gradient in zip(("axisangle", "translation"), pull(rec.input("w_T", dtype)), strict=True):
        rec.assert_matches(f"grad_{name}{suffix}", gradient[:, None])
