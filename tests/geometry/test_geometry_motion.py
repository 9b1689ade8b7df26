"""Depth conversion and rigid motions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.geometry import se3
from sde_seg_jax.geometry.depth import disparity_to_depth

AXIS_ANGLE = jnp.array([[0.3, -0.2, 0.5], [0.0, 0.0, 0.0], [1e-8, 0.0, 0.0], [0.0, 3.0, 0.1]])
TRANSLATION = jnp.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0], [0.0, 0.0, 1.0], [4.0, -5.0, 6.0]])


def test_disparity_0_and_1_are_the_far_and_near_bounds():
    np.testing.assert_allclose(disparity_to_depth(jnp.array([0.0, 1.0]), 0.1, 100.0), [100, 0.1], rtol=1e-6)


def test_swapped_depth_bounds_are_refused():
    with pytest.raises(ValueError, match=r"expected 0 < min_depth < max_depth, got 100 and 0\.1"):
        disparity_to_depth(jnp.zeros(1), 100, 0.1)


def test_quarter_turn_about_z_moves_x_to_y():
    rotation = se3.rotation_from_axis_angle(jnp.array([[0.0, 0.0, np.pi / 2]]))
    np.testing.assert_allclose(rotation[0] @ jnp.array([1.0, 0.0, 0.0]), [0, 1, 0], atol=1e-6)


def test_rotations_are_orthonormal_and_right_handed():
    rotation = np.asarray(se3.rotation_from_axis_angle(AXIS_ANGLE))
    np.testing.assert_allclose(rotation @ rotation.swapaxes(1, 2), np.tile(np.eye(3), (4, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-6)


def test_inverse_transform_undoes_transform():
    there, back = se3.transform(AXIS_ANGLE, TRANSLATION), se3.inverse_transform(AXIS_ANGLE, TRANSLATION)
    np.testing.assert_allclose(there @ back, np.tile(np.eye(4), (4, 1, 1)), atol=2e-6)


def test_gradient_is_finite_at_zero_rotation():
    gradient = jax.grad(lambda v: (se3.rotation_from_axis_angle(v) * jnp.arange(9.0).reshape(1, 3, 3)).sum())
    assert np.isfinite(gradient(jnp.zeros((1, 3)))).all()
    assert np.isfinite(gradient(jnp.full((1, 3), 1e-30))).all()  # its square underflows
