"""View synthesis against scenes whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiler_options import AS_USERS
from jax.test_util import check_grads as assert_gradients

from sde_seg_jax.geometry import camera, se3
from sde_seg_jax.geometry.warp import back_project, project, sample_bilinear, sample_planes, source_pixels, warp
from sde_seg_jax.types import Intrinsics

HEIGHT, WIDTH = 12, 20
CAMERA = Intrinsics(fx=jnp.array([18.0]), fy=jnp.array([16.0]), cx=jnp.array([9.3]), cy=jnp.array([5.6]))


def paint(points):
    """A picture on space, [..., 3] to [..., 2]; linear in x and y, where bilinear sampling is exact."""
    return jnp.stack([0.5 + 0.3 * points[..., 0], 0.2 - 0.4 * points[..., 1]], -1)


def see_plane(intrinsics, distance):
    """(image, depth) of the painted plane z = distance, facing the camera."""
    depth = jnp.full((1, HEIGHT, WIDTH, 1), distance)
    return paint(back_project(depth, camera.inverse_matrix(intrinsics))), depth


def inside(xy):
    return ((xy >= 0) & (xy <= jnp.array([WIDTH - 1.0, HEIGHT - 1.0])[None, None, None])).all(-1)


def test_identity_pose_reproduces_the_source():
    source = jax.random.uniform(jax.random.key(0), (1, HEIGHT, WIDTH, 3))
    depth = jax.random.uniform(jax.random.key(1), (1, HEIGHT, WIDTH, 1), minval=1, maxval=9)
    k, k_inverse = camera.matrix(CAMERA), camera.inverse_matrix(CAMERA)
    np.testing.assert_allclose(warp(source, depth, k, k_inverse, jnp.eye(4)[None]), source, atol=2e-5)


@pytest.mark.parametrize("shift", [(0.4, 0.0, 0.0), (0.0, -0.3, 0.0), (0.2, 0.1, 1.5)], ids=["x", "y", "all"])
def test_moved_camera_sees_the_plane_that_the_warp_predicts(shift):
    """The source camera sits at `shift`; the plane's image is linear, so bilinear sampling is exact."""
    target, depth = see_plane(CAMERA, 5.0)
    k, k_inverse = camera.matrix(CAMERA), camera.inverse_matrix(CAMERA)
    source_from_target = se3.transform(jnp.zeros((1, 3)), -jnp.array([shift]))
    at_source = back_project(jnp.full_like(depth, 5.0 - shift[2]), k_inverse) + jnp.array(shift)[None, None, None]
    xy = project(back_project(depth, k_inverse), k, source_from_target)
    seen = inside(xy)
    assert seen.mean() > 0.4
    warped = warp(paint(at_source), depth, k, k_inverse, source_from_target)
    np.testing.assert_allclose(warped[seen], target[seen], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "mirror"),
    [
        (lambda x, i: (x[:, 2:10, 3:17], camera.crop(i, 2, 3)), 1.0),
        (lambda x, i: (x[:, :, ::-1], camera.flip(i, WIDTH)), -1.0),
        (lambda x, i: (x.reshape(1, 6, 2, 10, 2, -1).mean((2, 4)), camera.resize(i, (12, 20), (6, 10))), 1.0),
    ],
    ids=["crop", "flip", "halve"],
)
def test_a_changed_image_is_what_the_changed_camera_sees(change, mirror):
    image, _ = see_plane(CAMERA, 5.0)
    changed, intrinsics = change(image, CAMERA)
    depth = jnp.full((*changed.shape[:3], 1), 5.0)
    points = back_project(depth, camera.inverse_matrix(intrinsics)) * jnp.array([mirror, 1, 1])[None, None, None]
    np.testing.assert_allclose(changed, paint(points), atol=1e-5)


def test_projecting_back_projected_pixels_returns_them():
    depth = jax.random.uniform(jax.random.key(1), (1, HEIGHT, WIDTH, 1), minval=0.1, maxval=100)
    points = back_project(depth, camera.inverse_matrix(CAMERA))
    x, y = jnp.meshgrid(jnp.arange(WIDTH), jnp.arange(HEIGHT))
    xy = project(points, camera.matrix(CAMERA), jnp.eye(4)[None])
    np.testing.assert_allclose(xy[0], jnp.stack([x, y], -1), atol=2e-5)


def test_pixels_in_several_sources_at_several_depths_are_those_one_by_one():
    rng = np.random.default_rng(0)
    depth = jnp.asarray(rng.uniform(2, 4, (2, 3, 5, 6)), jnp.float32)
    cameras = Intrinsics(*(jnp.array(two) for two in ([9.0, 7.0], [8.0, 9.5], [3.1, 2.2], [1.7, 2.4])))
    k, k_inverse = camera.matrix(cameras), camera.inverse_matrix(cameras)
    motions = se3.transform(*jnp.asarray(rng.uniform(-0.1, 0.1, (2, 4, 3)), jnp.float32)).reshape(2, 2, 4, 4)
    x, y = source_pixels(depth, k, k_inverse, motions)
    assert x.shape == y.shape == (2, 2, 3, 5, 6)
    for source, n in np.ndindex(2, 3):
        xy = project(back_project(depth[:, n, ..., None], k_inverse), k, motions[:, source])
        np.testing.assert_array_equal(x[:, source, n], xy[..., 0])
        np.testing.assert_array_equal(y[:, source, n], xy[..., 1])


def test_points_may_have_any_number_of_axes():
    rng = np.random.default_rng(0)
    frames = jnp.asarray(rng.uniform(size=(2, 3, 4, 5, 2)))
    x, y = (jnp.asarray(rng.uniform(-1, n, (2, 3, 2, 4, 5))) for n in (5, 4))
    sampled = sample_planes(frames, x, y)
    assert sampled.shape == (2, 3, 2, 2, 4, 5)
    for b, s, n in np.ndindex(2, 3, 2):
        alone = sample_bilinear(frames[b, s][None], jnp.stack([x[b, s, n], y[b, s, n]], -1)[None])
        np.testing.assert_array_equal(sampled[b, s, :, n], jnp.moveaxis(alone[0], -1, 0))


@pytest.mark.parametrize(("wanted", "scatters"), [("image", True), ("points", False)])
def test_only_the_gradient_to_the_image_is_scattered(wanted, scatters):
    def of(image, x):
        return sample_planes(image, x, x).sum()

    gradient = jax.jit(jax.grad(of, argnums=("image", "points").index(wanted)))
    program = gradient.lower(jnp.ones((1, 4, 5, 2)), jnp.full((1, 3, 3), 1.5))
    compiled = program.compile(AS_USERS)  # without them scatters become loops
    assert (" scatter(" in compiled.as_text()) is scatters


def test_sampling_at_integers_between_them_and_beyond_the_border():
    image = jnp.arange(6.0).reshape(1, 2, 3, 1)
    xy = jnp.array([[1.0, 1.0], [0.5, 0.0], [1.0, 0.5], [-7.0, 0.0], [99.0, 99.0]])[None, None]
    np.testing.assert_allclose(sample_bilinear(image, xy)[0, 0, :, 0], [4, 0.5, 2.5, 0, 5])


def test_coordinates_beyond_the_border_get_no_gradient():
    image = jnp.arange(12.0).reshape(1, 3, 4, 1)
    xy = jnp.array([[-0.5, 1.2], [1.5, 2.5], [0.0, 0.0], [3.0, 1.5]])[None, None]
    gradient = jax.grad(lambda p: sample_bilinear(image, p).sum())(xy)[0, 0]
    np.testing.assert_allclose(gradient, [[0, 4], [1, 0], [0, 0], [0, 4]], atol=1e-6)


def test_short_floats_are_sampled_with_float32_coordinates():
    image = jnp.linspace(0, 1, 2048, dtype=jnp.bfloat16).reshape(1, 1, 2048, 1)
    at = jnp.array([[[[2001.0, 0.0]]]])  # not a bfloat16 number
    assert sample_bilinear(image, at)[0, 0, 0, 0] == image[0, 0, 2001, 0].astype(jnp.float32)


def test_gradients_agree_with_finite_differences():
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        source = jnp.asarray(rng.uniform(size=(1, 5, 6, 2)))
        depth = jnp.asarray(rng.uniform(2, 4, (1, 5, 6, 1)))
        intrinsics = Intrinsics(*(jnp.array([v], jnp.float64) for v in (5.0, 5.5, 2.6, 1.9)))
        k, k_inverse = camera.matrix(intrinsics), camera.inverse_matrix(intrinsics)

        def warped(source, depth, axis_angle, translation):
            return warp(source, depth, k, k_inverse, se3.transform(axis_angle, translation))

        motion = jnp.asarray([[0.03, -0.02, 0.05]]), jnp.asarray([[0.11, -0.07, 0.2]])
        assert_gradients(jax.jit(warped), (source, depth, *motion), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)
