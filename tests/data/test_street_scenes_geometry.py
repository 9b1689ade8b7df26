"""True depth, pose and camera explain the neighbouring frames, also when cropped, resized or flipped."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.data.street_scenes.camera import intrinsics, source_from_target
from sde_seg_jax.data.street_scenes.clip import render_frame
from sde_seg_jax.geometry import camera, warp
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import Intrinsics

SIZE = (64, 128)
STATIC = [CITYSCAPES.classes.index(name) for name in ("road", "sidewalk", "building", "wall", "fence", "terrain")]
CASES = [("target", 0), ("target", 3), ("source", 1)]


@functools.cache
def scene(domain, clip, size=SIZE, shake=0.0):
    """Two frames (image, label, depth, place), the camera, the motion between them; noise-free."""
    target, source = (render_frame(domain, 0, clip, tick, size, noise=0.0, shake=shake) for tick in (12, 13))
    k = Intrinsics(**{name: np.float64([value]) for name, value in intrinsics(domain, size).items()})
    return target, source, k, source_from_target(source[3], target[3])


def batched(array):
    return jnp.asarray(np.asarray(array, np.float64 if array.dtype.kind == "f" else np.float32)[None], jnp.float32)


def rebuild(image, depth, k, motion):
    """The target view from the source `image`, and where it looked it up."""
    big = np.where(depth > 0, depth, 1e4).astype(np.float32)
    points = warp.back_project(batched(big[..., None]), batched(camera.inverse_matrix(k)[0]))
    xy = warp.project(points, batched(camera.matrix(k)[0]), batched(motion))
    z = np.einsum("ij,hwj->hwi", motion[:3, :3], np.asarray(points[0]))[..., 2] + motion[2, 3]
    return np.asarray(warp.sample_bilinear(batched(image.astype(np.float32)), xy)[0]), np.asarray(xy[0]), z


def visible(target, source, xy, z):
    """Static pixels that the source sees too, away from silhouettes: the lookup stays on the surface."""
    height, width = z.shape
    inside = (xy[..., 0] > 1) & (xy[..., 0] < width - 2) & (xy[..., 1] > 1) & (xy[..., 1] < height - 2)
    x, y = (np.clip(np.floor(xy[..., i]).astype(int), 0, n - 2) for i, n in ((0, width), (1, height)))
    keep = inside & np.isin(target[1], STATIC)
    for dy in (0, 1):
        for dx in (0, 1):
            other = source[1][y + dy, x + dx]
            keep &= other == target[1]
            keep &= np.abs(source[2][y + dy, x + dx] / z - 1) < 0.25
    return keep


@pytest.mark.parametrize(("domain", "clip", "shake"), [*((*case, 0.0) for case in CASES), ("target", 3, 1.0)])
def test_depth_of_both_frames_is_the_same_surface(domain, clip, shake):
    """Inverse depth is linear over the image of a plane, so its bilinear lookup is exact there."""
    target, source, k, motion = scene(domain, clip, shake=shake)
    inverse = np.where(source[2] > 0, 1 / np.maximum(source[2], 0.1), 0)
    looked_up, xy, z = rebuild(inverse[..., None], target[2], k, motion)
    road = visible(target, source, xy, z) & (target[1] == 0)
    error = np.abs(looked_up[..., 0] * z - 1)[road]
    assert road.sum() > 300
    # The few others: no label tells apart what the lookup straddles (a gap between a pedestrian's legs, say).
    assert np.quantile(error, 0.98) < 2e-4


@pytest.mark.parametrize(("domain", "clip"), CASES)
def test_true_geometry_leaves_only_resampling_error(domain, clip):
    target, source, k, motion = scene(domain, clip)
    view, xy, z = rebuild(source[0], target[2], k, motion)
    keep = visible(target, source, xy, z)
    error = np.abs(view - target[0]).mean(-1)[keep]
    wrong, _, _ = rebuild(source[0], 1.2 * target[2], k, motion)
    still = np.abs(source[0].astype(float) - target[0]).mean(-1)[keep]
    assert keep.mean() > 0.25
    assert np.median(error) < 4.0  # grey levels
    assert error.mean() < 0.8 * np.abs(wrong - target[0]).mean(-1)[keep].mean()
    assert error.mean() < 0.5 * still.mean()


def test_cropped_camera_explains_cropped_frames():
    target, source, k, motion = scene("target", 0)
    whole, xy, _ = rebuild(source[0], target[2], k, motion)
    top, left, height, width = 20, 24, 40, 80
    window = (slice(top, top + height), slice(left, left + width))
    view, xy_crop, _ = rebuild(source[0][window], target[2][window], camera.crop(k, top, left), motion)
    inside = ((xy_crop >= 0) & (xy_crop <= (width - 1, height - 1))).all(-1)
    np.testing.assert_allclose(xy_crop, xy[window] - (left, top), atol=2e-3)
    np.testing.assert_allclose(view[inside], whole[window][inside], atol=0.5)  # float32 coordinates


def test_flipped_camera_explains_flipped_frames():
    target, source, k, motion = scene("target", 0)
    whole, _, _ = rebuild(source[0], target[2], k, motion)
    mirror = np.diag([-1.0, 1, 1, 1])
    flipped = camera.flip(k, SIZE[1])
    view, _, _ = rebuild(source[0][:, ::-1], target[2][:, ::-1], flipped, mirror @ motion @ mirror)
    np.testing.assert_allclose(view[:, ::-1], whole, atol=0.5)


def test_resized_camera_is_the_camera_at_that_size():
    small = tuple(n // 2 for n in SIZE)
    _, _, k, _ = scene("source", 1)
    resized = camera.resize(k, SIZE, small)
    expected = intrinsics("source", small)
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(resized, name), [value], rtol=1e-12)


def test_downsized_frames_are_explained_by_the_resized_camera():
    small = tuple(n // 2 for n in SIZE)
    target, source, k, motion = scene("target", 3)
    half = [f[0].astype(np.float32).reshape(small[0], 2, small[1], 2, 3).mean((1, 3)) for f in (target, source)]
    coarse_target, coarse_source, _, _ = scene("target", 3, small)  # depth at the centres of the 2x2 blocks
    view, xy, z = rebuild(half[1], coarse_target[2], camera.resize(k, SIZE, small), motion)
    keep = visible(coarse_target, coarse_source, xy, z)
    assert np.median(np.abs(view - half[0]).mean(-1)[keep]) < 4.0


@pytest.mark.parametrize(("domain", "low", "high"), [("target", 65, 90), ("source", 50, 65)])
def test_field_of_view(domain, low, high):
    k = Intrinsics(**{name: np.float64([value]) for name, value in intrinsics(domain, SIZE).items()})
    assert low < camera.field_of_view(k, SIZE)[0][0] < high
