"""The camera's height above a plane, from depths of known planes."""

import numpy as np
import pytest

from sde_seg_jax.geometry.ground import fit_ground

CAMERA = (80.0, 90.0, 31.5, 23.5)  # of 64x48


def road(height, tilt=0.0, below=30):
    """Depths and pixels of the rows from `below` on, of a plane `height` below the camera, tilted ahead by radians."""
    rows, columns = np.mgrid[below:48, 0:64]
    ray = (rows - CAMERA[3]) / CAMERA[1]
    depth = height / (ray * np.cos(tilt) - np.sin(tilt))
    return depth.ravel(), np.stack([columns.ravel(), rows.ravel()], axis=1)


@pytest.mark.parametrize(("height", "tilt"), [(1.5, 0.0), (0.02, 0.05), (40.0, -0.1)])
def test_the_height_of_a_plane_is_found_in_the_unit_of_its_depths(height, tilt):
    ground = fit_ground(*road(height, tilt), CAMERA)
    assert ground.height == pytest.approx(height, rel=1e-9)
    np.testing.assert_allclose(ground.normal, (0, np.cos(tilt), -np.sin(tilt)), atol=1e-9)
    assert ground.share == 1


def test_a_third_of_wrong_pixels_changes_nothing():
    depth, pixels = road(1.5)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(depth)) < 1 / 3
    depth = np.where(wrong, depth * rng.uniform(0.2, 0.8, len(depth)), depth)  # cars stand in front of it
    ground = fit_ground(depth, pixels, CAMERA)
    assert ground.height == pytest.approx(1.5, rel=1e-2)
    assert ground.share == pytest.approx(2 / 3, abs=0.05)


def test_noise_that_grows_with_depth_averages_out():
    depth, pixels = road(1.5)
    noisy = depth * np.random.default_rng(1).normal(1, 0.02, len(depth))
    assert fit_ground(noisy, pixels, CAMERA).height == pytest.approx(1.5, rel=5e-3)


def test_many_pixels_are_thinned_out_and_the_draws_are_seeded():
    depth, pixels = (np.concatenate([part] * 8) for part in road(1.5))
    one, other = (fit_ground(depth, pixels, CAMERA, seed=3) for _ in range(2))
    assert one == other
    assert one.height == pytest.approx(1.5, rel=1e-9)


def test_points_that_are_no_plane_are_refused():
    with pytest.raises(ValueError, match="three points, got 2"):
        fit_ground(np.ones(2), np.zeros((2, 2)), CAMERA)
    with pytest.raises(ValueError, match="on one line"):
        fit_ground(np.ones(50), np.stack([np.arange(50), np.full(50, 40)], axis=1), CAMERA)
