"""Facts about the losses that train depth."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads as assert_gradients

from sde_seg_jax.geometry import se3
from sde_seg_jax.losses import berhu, feature_distance, photometric, smoothness
from sde_seg_jax.losses.absolute import absolute
from sde_seg_jax.losses.ssim import ssim_error
from sde_seg_jax.types import Intrinsics, Outputs, View

KEY = jax.random.key(0)
BATCH, HEIGHT, WIDTH = 2, 8, 12


def maps_of(view, **options):
    return jax.jit(lambda v: photometric.photometric_maps(v, KEY, **options))(view)


def term_of(view, **options):
    return jax.jit(lambda v: photometric.term(v, KEY, **options))(view)


@functools.partial(jax.jit, static_argnames=("dtype", "scales"))
def random_view(dtype=jnp.float32, scales=2):
    keys = jax.random.split(KEY, 6)
    uniform = lambda k, *shape: jax.random.uniform(keys[k], shape, dtype)  # noqa: E731
    return View(
        image=uniform(0, BATCH, HEIGHT, WIDTH, 3),
        sources=uniform(1, BATCH, 2, HEIGHT, WIDTH, 3),
        source_from_target=se3.transform(0.05 * uniform(2, 4, 3), 0.05 * uniform(3, 4, 3)).reshape(BATCH, 2, 4, 4),
        intrinsics=Intrinsics(*(jnp.full(BATCH, v, dtype) for v in (10.0, 9.0, 5.3, 3.6))),
        outputs=Outputs(
            disparity=tuple(0.2 + 0.6 * uniform(4, BATCH, HEIGHT >> s, WIDTH >> s, 1) for s in range(scales))
        ),
    )


def test_ssim_agrees_with_its_definition():
    x, y = np.random.default_rng(0).uniform(size=(2, 1, 5, 6, 1))
    got = ssim_error(jnp.asarray(x, dtype=np.float32), jnp.asarray(y, dtype=np.float32))
    padded = [np.pad(v[0, ..., 0], 1, mode="reflect") for v in (x, y)]
    for i, j in np.ndindex(5, 6):
        a, b = (v[i : i + 3, j : j + 3] for v in padded)
        cov = (a * b).mean() - a.mean() * b.mean()
        ssim = (2 * a.mean() * b.mean() + 1e-4) * (2 * cov + 9e-4)
        ssim /= (a.mean() ** 2 + b.mean() ** 2 + 1e-4) * (a.var() + b.var() + 9e-4)
        np.testing.assert_allclose(got[0, i, j, 0], np.clip((1 - ssim) / 2, 0, 1), atol=2e-6)


def test_ssim_has_no_noise_on_a_bright_ramp():
    """In float32, E[x^2] - E[x]^2 would be off by 1e-4 here."""
    with jax.enable_x64(True):
        x = 0.9 + 1e-3 * jnp.arange(30.0, dtype=jnp.float64).reshape(1, 5, 6, 1) / 30
        long, short = ssim_error(x, x[:, ::-1]), ssim_error(*(v.astype(jnp.float32) for v in (x, x[:, ::-1])))
    np.testing.assert_allclose(short, long, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 5), (3, 4), (6, 7)])
def test_ssim_gradients_agree_with_finite_differences(height, width):
    """To both images, of one target and two predictions; differences are exact to about 1e-8 in float64."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        noise = jnp.asarray(rng.uniform(size=(1, 2, height, width, 2)))
        target = jnp.asarray(rng.uniform(size=(1, 1, height, width, 2)))
        predictions = 0.5 * target + 0.5 * noise
        assert_gradients(jax.jit(ssim_error), (predictions, target), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_equal_images_have_no_error_and_no_gradient():
    x = jax.random.uniform(KEY, (1, 6, 7, 3)).at[:, :3].set(0.5)
    for error in (photometric.photometric_error, photometric.absolute_error):
        np.testing.assert_allclose(jax.jit(error)(x, x), 0, atol=1e-7)
        gradient = jax.jit(jax.grad(lambda a, b, error=error: error(a, b).sum()))(x, x)
        np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_one_target_serves_many_predictions():
    a, b = jax.random.uniform(KEY, (2, 2, 1, 5, 6, 3))
    many = jnp.concatenate([b, a], 1)
    error = jax.jit(photometric.photometric_error)
    np.testing.assert_allclose(error(a, many)[:, 0], error(a[:, 0], b[:, 0]), atol=1e-6)


def test_absolute_has_no_slope_at_zero():
    np.testing.assert_array_equal(jax.vmap(jax.grad(absolute))(jnp.array([-2.0, 0.0, 3.0])), [-1, 0, 1])


def test_a_standing_camera_is_masked_out():
    view = random_view()
    still = view.replace(sources=jnp.stack([view.image, view.image], 1))
    maps, counts = maps_of(still, tie_break=0)
    assert not counts.any()
    np.testing.assert_allclose(maps, 0, atol=1e-6)


def test_without_auto_mask_every_pixel_counts():
    _, counts = maps_of(random_view(), auto_mask=False)
    assert counts.all()


def test_ties_are_broken_anew_at_each_scale():
    view = random_view()
    coarse_too = view.replace(outputs=Outputs(disparity=(view.outputs.disparity[0],) * 2))
    still = coarse_too.replace(sources=jnp.stack([view.image, view.image], 1))
    still = still.replace(source_from_target=jnp.tile(jnp.eye(4), (2, 2, 1, 1)))
    _, counts = maps_of(still)
    assert (counts[:, 0] != counts[:, 1]).any()


def test_the_minimum_ignores_a_frame_in_which_the_pixel_is_hidden():
    errors = jnp.array([0.1, 0.9]).reshape(1, 1, 2, 1, 1, 1)
    np.testing.assert_allclose(photometric.minimum_over_frames(errors), [[[[[0.1]]]]])
    np.testing.assert_allclose(photometric.mean_over_frames(errors), [[[[[0.5]]]]])


def test_term_is_the_mean_over_scales_of_single_scale_terms():
    view = random_view()
    options = {"tie_break": 0, "auto_mask": False}
    single = [term_of(view.replace(outputs=Outputs(disparity=(d,))), **options) for d in view.outputs.disparity]
    np.testing.assert_allclose(term_of(view, **options), np.mean(single), rtol=1e-5)


def test_details_are_the_finest_warp_and_mask():
    view = random_view()
    options = {"tie_break": 0, "min_depth": 0.2}
    warped, mask = jax.jit(lambda v: photometric.photometric_details(v, KEY, **options))(view)
    # Two programs round the coordinates differently; neighboring pixels differ by up to 1.
    all_warped = jax.jit(lambda v: photometric.warp_sources(v, min_depth=0.2))(view)
    np.testing.assert_allclose(warped, all_warped[:, :, 0], atol=1e-5)
    _, counts = maps_of(view, tie_break=0, min_depth=0.2)
    np.testing.assert_array_equal(mask, counts[:, 0])


def test_photometric_gradients_agree_with_finite_differences():
    with jax.enable_x64(True):
        view = random_view(jnp.float64, scales=1)

        def loss(disparity, source_from_target):
            changed = view.replace(outputs=Outputs(disparity=(disparity,)), source_from_target=source_from_target)
            return photometric.term(changed, KEY, reduce=photometric.mean_over_frames, auto_mask=False)

        arguments = (view.outputs.disparity[0], view.source_from_target)
        assert_gradients(jax.jit(loss), arguments, order=1, modes=["rev"], atol=1e-5, rtol=1e-5, eps=1e-7)


def test_smoothness_ignores_the_scale_of_disparity_and_forgives_edges():
    view = random_view(scales=1)
    disparity, flat = view.outputs.disparity[0], jnp.full_like(view.image, 0.5)
    on_flat = smoothness.smoothness(disparity, flat)
    np.testing.assert_allclose(smoothness.smoothness(7 * disparity, flat), on_flat, rtol=1e-5)
    assert smoothness.smoothness(disparity, view.image) < on_flat


def test_smoothness_halves_per_scale():
    disparity = random_view(scales=1).outputs.disparity[0]
    view = random_view().replace(image=jnp.full((BATCH, 2 * HEIGHT, 2 * WIDTH, 3), 0.5))
    blocky = jnp.repeat(jnp.repeat(disparity, 2, axis=1), 2, axis=2)
    both = smoothness.term(view.replace(outputs=Outputs(disparity=(blocky, disparity))), KEY)
    fine = smoothness.smoothness(blocky, view.image)
    coarse = smoothness.smoothness(disparity, view.image[:, ::2, ::2])
    np.testing.assert_allclose(both, (fine + coarse / 2) / 2, rtol=1e-6)


def test_smoothness_of_a_scale_that_is_no_half_sees_the_image_at_that_size():
    view = View(image=jnp.asarray(np.random.default_rng(0).random((1, 6, 12, 3), np.float32)), outputs=None)
    disparity = jnp.asarray(np.random.default_rng(1).random((1, 2, 4, 1), np.float32))
    found = smoothness.term(view.replace(outputs=Outputs(disparity=(disparity,))), KEY)
    thirds = view.image.reshape(1, 2, 3, 4, 3, 3).mean((2, 4))
    np.testing.assert_allclose(found, smoothness.smoothness(disparity, thirds) / 3, rtol=1e-5)


def test_smoothness_names_a_size_mismatch():
    with pytest.raises(ValueError, match="pass the image pyramid's level"):
        smoothness.smoothness(jnp.zeros((1, 2, 2, 1)), jnp.zeros((1, 4, 4, 3)))


def test_feature_distance_is_the_norm_of_the_whole_tensor():
    a = jnp.zeros((2, 1, 1, 2))
    np.testing.assert_allclose(feature_distance.feature_distance(a, a + 3), 6)


def test_berhu_is_absolute_below_and_squared_above_a_fifth_of_the_largest():
    target = jnp.zeros((1, 1, 4, 1))
    prediction = jnp.array([0.0, 0.1, 0.2, 1.0]).reshape(1, 1, 4, 1)
    np.testing.assert_allclose(
        berhu.berhu(prediction, target, jnp.ones_like(target)), (0.1 + 0.2 + (1 + 0.04) / 0.4) / 4, rtol=1e-6
    )
