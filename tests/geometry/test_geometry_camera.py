"""Cameras follow crops, resizes and flips exactly, in NumPy and jax alike."""

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.geometry import camera
from sde_seg_jax.types import Intrinsics


def example(array=np.asarray):
    values = {"fx": [20.0, 25.0], "fy": [21.0, 24.0], "cx": [9.5, 10.25], "cy": [5.5, 4.0]}
    return Intrinsics(**{name: array(v, dtype=np.float32) for name, v in values.items()})


def pixels_of(intrinsics, points):
    projected = np.einsum("bij,nj->bni", camera.matrix(intrinsics), points)
    return projected[..., :2] / projected[..., 2:]


POINTS = np.array([[0.1, -0.2, 1.0], [-0.7, 0.4, 2.0], [3.0, 1.0, 9.0]], np.float32)


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_inverse_matrix_inverts(array):
    k, inverse = camera.matrix(example(array)), camera.inverse_matrix(example(array))
    assert isinstance(k, np.ndarray) == (array is np.asarray)
    np.testing.assert_allclose(k @ inverse, np.tile(np.eye(3), (2, 1, 1)), atol=1e-6)


def test_scalars_give_one_matrix():
    k = camera.matrix(Intrinsics(fx=2.0, fy=3.0, cx=4.0, cy=5.0))
    np.testing.assert_array_equal(k, [[2, 0, 4], [0, 3, 5], [0, 0, 1]])


def test_crop_moves_pixels_by_the_offset():
    before, after = pixels_of(example(), POINTS), pixels_of(camera.crop(example(), top=3, left=5), POINTS)
    np.testing.assert_allclose(after, before - [5, 3], atol=1e-5)


def test_resize_keeps_edges_on_edges():
    before = pixels_of(example(), POINTS)
    after = pixels_of(camera.resize(example(), (12, 20), (36, 30)), POINTS)
    np.testing.assert_allclose((after + 0.5) / [30, 36], (before + 0.5) / [20, 12], atol=1e-5)


def test_resizing_back_and_forth_changes_nothing():
    there = camera.resize(example(), (12, 20), (36, 30))
    back = camera.resize(there, (36, 30), (12, 20))
    np.testing.assert_allclose(camera.matrix(back), camera.matrix(example()), rtol=1e-6)


def test_flip_mirrors_pixels_and_leaves_rows():
    mirrored_points = POINTS * [-1, 1, 1]
    before, after = pixels_of(example(), POINTS), pixels_of(camera.flip(example(), 20), mirrored_points)
    np.testing.assert_allclose(after[..., 0], 19 - before[..., 0], atol=1e-5)
    np.testing.assert_allclose(after[..., 1], before[..., 1], atol=1e-5)


def test_crop_takes_an_offset_per_sample():
    cropped = camera.crop(example(jnp.asarray), jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]))
    np.testing.assert_allclose(cropped.cx, [6.5, 6.25])
    np.testing.assert_allclose(cropped.cy, [4.5, 2.0])


def test_field_of_view_of_a_centred_camera():
    centred = Intrinsics(fx=10.0, fy=10.0, cx=9.5, cy=4.5)
    horizontal, vertical = camera.field_of_view(centred, (10, 20))
    np.testing.assert_allclose([horizontal, vertical], [90, 2 * np.degrees(np.arctan(0.5))])


def test_field_of_view_survives_resizing():
    resized = camera.resize(example(), (12, 20), (24, 50))
    np.testing.assert_allclose(
        camera.field_of_view(resized, (24, 50)), camera.field_of_view(example(), (12, 20)), rtol=1e-6
    )
