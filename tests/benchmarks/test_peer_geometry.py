"""PyTorch's motions, poses and warped views are ours, in float64 up to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from peer import geometry
from peer_arrays import BATCH, CAMERA, HEIGHT, VALUE, WIDTH, cameras, scene, to_ours, to_peer

from sde_seg_jax.geometry import camera, depth, se3, warp
from sde_seg_jax.types import Intrinsics

pytestmark = pytest.mark.usefixtures("float64")


def test_motions_are_equal_and_the_zero_rotation_has_a_finite_gradient(rng):
    axis_angle, translation = rng.normal(size=(2, BATCH, 3))
    for mine, other in ((se3.transform, geometry.transform), (se3.inverse_transform, geometry.inverse_transform)):
        expected = mine(jnp.asarray(axis_angle), jnp.asarray(translation))
        np.testing.assert_allclose(other(torch.tensor(axis_angle), torch.tensor(translation)), expected, **VALUE)
    still = torch.zeros(BATCH, 3, requires_grad=True)
    geometry.transform(still, torch.zeros(BATCH, 3)).sum().backward()
    np.testing.assert_array_equal(still.grad, 0)


def test_poses_are_asked_for_in_temporal_order(rng):
    frames = rng.uniform(size=(BATCH, 3, 4, 6, 3))
    seen = []

    def pose(earlier, later):
        seen.append((earlier, later))
        return earlier.mean((2, 3)) - later.mean((2, 3)), earlier.amax((2, 3))

    got = geometry.source_poses(pose, to_peer(frames))
    target, previous, following = to_peer(frames).unbind(1)
    for found, expected in zip(seen, ((previous, target), (target, following)), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    target, previous, following = np.moveaxis(frames, 1, 0)
    change = [a.mean((1, 2)) - b.mean((1, 2)) for a, b in ((previous, target), (target, following))]
    backward = se3.inverse_transform(jnp.asarray(change[0]), jnp.asarray(previous.max((1, 2))))
    forward = se3.transform(jnp.asarray(change[1]), jnp.asarray(target.max((1, 2))))
    np.testing.assert_allclose(got, np.stack([backward, forward], 1), **VALUE)


def test_the_warped_view_is_equal(rng):
    image, _, disparities, angles, translations = scene(rng)
    intrinsics = Intrinsics(*map(jnp.asarray, CAMERA))
    motion = se3.transform(jnp.asarray(angles[0]), jnp.asarray(translations[0]))
    distance = depth.disparity_to_depth(jnp.asarray(disparities[0]), 0.1, 100.0)
    k, k_inverse = camera.matrix(intrinsics), camera.inverse_matrix(intrinsics)
    expected = jax.jit(warp.warp)(jnp.asarray(image), distance, k, k_inverse, motion)

    k, k_inverse = cameras()
    points = geometry.back_project(
        geometry.disparity_to_depth(to_peer(disparities[0])), geometry.pixel_rays(k_inverse, HEIGHT, WIDTH)
    )
    grid = geometry.project(points, k, torch.tensor(np.asarray(motion)), HEIGHT, WIDTH)
    assert (grid.abs() > 1).any()  # some of it lies outside
    np.testing.assert_allclose(to_ours(geometry.warp(to_peer(image), grid)), expected, **VALUE)
