import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.geometry import camera, se3
from sde_seg_jax.geometry.consistency import depth_inconsistency
from sde_seg_jax.types import Intrinsics

CAMERA = Intrinsics(fx=jnp.array([18.0]), fy=jnp.array([16.0]), cx=jnp.array([9.3]), cy=jnp.array([5.6]))
K, INVERSE = camera.matrix(CAMERA), camera.inverse_matrix(CAMERA)


def wall(distance):
    return jnp.full((1, 12, 20, 1), distance)


def moved(*shift):
    """source_from_target of a source camera that stands at `shift`."""
    return se3.transform(jnp.zeros((1, 3)), -jnp.array([shift]))


def test_two_views_of_one_wall_agree():
    found = depth_inconsistency(wall(5.0), wall(3.5), K, INVERSE, moved(0.3, -0.2, 1.5))
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_twice_the_depth_differs_by_a_third():
    found = depth_inconsistency(wall(5.0), wall(10.0), K, INVERSE, moved(0.3, 0.0, 0.0))
    np.testing.assert_allclose(found, 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("shift", [(50.0, 0.0, 0.0), (0.0, 0.0, 9.0)], ids=["out of sight", "behind the camera"])
def test_what_the_source_does_not_see_agrees_with_nothing(shift):
    np.testing.assert_array_equal(depth_inconsistency(wall(5.0), wall(5.0), K, INVERSE, moved(*shift)), 1)
