"""The published cameras against ours under crop, flip and scale: the same up to the half pixels of decision 2.

Published: a coordinate is normalised or scaled by a product, a mirror maps u to W - u, K of scale s is K / 2^s. Ours:
pixel centres are integers, so an image of width W spans [-0.5, W-0.5].
"""

import pathlib

import numpy as np
import pytest
from golden import recordings

from sde_seg_jax.data.datasets import cityscapes, synthia_video, viper
from sde_seg_jax.data.reading import augment
from sde_seg_jax.geometry import camera
from sde_seg_jax.types import Intrinsics

SIZE, CROP = (512, 1024), (512, 512)
SCALES = range(4)
ATOL = 2.5e-4  # the recordings are float32 numbers up to 2266, whose spacing is 2.4e-4
FOCALS = synthia_video.read_focal(pathlib.Path("no/intrinsics.txt"))
DATASETS = {  # module, raw (height, width), item, our principal point - the published one at SIZE
    # its published camera is in pixels of the raw image, which we halve exactly: (u + 0.5) / 2 - 0.5 instead of u / 2
    "cityscapes": (cityscapes, (1024, 2048), ("a", None, (), None), -0.25),
    # 0.5 of the width stands for the image's centre, which is (W - 1) / 2 at integer pixel centres
    "gtaseq": (viper, (1080, 1920), ("a", None, ()), -0.5),
    "synthiaseq": (synthia_video, (760, 1280), ("a", None, (), FOCALS, "a"), -0.5),
}


@pytest.fixture
def our_camera(monkeypatch):
    """name -> our camera at SIZE, as the data set's own `load` gives it."""

    def load(name):
        module, size, item, _ = DATASETS[name]
        monkeypatch.setattr(module.raw, "read_image", lambda path: np.zeros((*size, 3), np.uint8))
        return camera.resize(Intrinsics(*module.load(item, SIZE)["intrinsics"]), size, SIZE)

    return load


def cropped(intrinsics, offset, flip):
    """Ours of columns `offset`... of the (perhaps mirrored) image; augment crops first and mirrors the crop."""
    left = SIZE[1] - CROP[1] - offset if flip else offset
    values = np.array([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy])
    example = {"image": np.zeros((*SIZE, 3), np.uint8), "intrinsics": values}
    return augment.apply(example, augment.Augmentation(0, int(left), CROP, bool(flip)))["intrinsics"]


def at_scale(values, scale):
    small = tuple(side >> scale for side in CROP)
    found = camera.resize(Intrinsics(*values.astype(np.float64)), CROP, small)
    return np.array([found.fx, found.fy, found.cx, found.cy])


def parts(matrix):
    """fx, fy, u0, v0 of K [..., 4, 4], the rest of which must be that of a pinhole camera."""
    rest = matrix.copy()
    for at in ((0, 0), (1, 1), (0, 2), (1, 2)):
        rest[..., at[0], at[1]] = np.eye(4)[at]
    np.testing.assert_array_equal(rest, np.broadcast_to(np.eye(4), rest.shape))
    return np.stack([matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 0, 2], matrix[..., 1, 2]], -1).astype(np.float64)


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("rec", recordings("g15_intrinsics_ssda"))
def test_our_camera_is_the_recorded_one_up_to_half_a_pixel(rec, name, our_camera):
    assert rec.params["size"] == list(SIZE)
    shift, recorded = DATASETS[name][3], parts(rec[f"out.{name}.K"])
    for case, (offset, top, flip) in enumerate(rec["in.cases"]):
        assert top == 0
        ours = cropped(our_camera(name), offset, flip)
        # mirrored: W - 1 - (u + shift) instead of W - u
        half = np.array([0, 0, 0.5, 0.5])
        differs = np.array([0, 0, -1 - shift if flip else shift, shift])
        for scale in SCALES:
            published = recorded[case, scale]
            np.testing.assert_allclose(published, recorded[case, 0] / 2**scale, rtol=0, atol=ATOL)
            expected = published + (differs + half) / 2**scale - half
            np.testing.assert_allclose(at_scale(ours, scale), expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize("rec", recordings("g15_intrinsics_master"))
def test_the_first_system_uses_the_camera_of_twice_the_size_and_mirrors_rows(rec, our_camera):
    """Q1: K of the 2048x1024 image on the 1024x512 one, of which the crop is subtracted. Q2: v0 becomes 1024 - v0."""
    height, width = cityscapes.INTRINSICS_SIZE
    recorded = parts(rec["out.K"])
    for case, (offset, top, flip) in enumerate(rec["in.cases"]):
        assert top == 0
        fx, fy, u, v = recorded[case, 0]
        np.testing.assert_allclose(recorded[case], recorded[case, :1] / 2.0 ** np.arange(4)[:, None], rtol=0, atol=ATOL)
        u += offset
        u, v = (width - u, height - v) if flip else (u, v)
        i = cityscapes.INTRINSICS
        np.testing.assert_allclose([fx, fy, u, v], [i.fx, i.fy, i.cx, i.cy], rtol=0, atol=ATOL)
        x, y = (u + 0.5) / 2 - 0.5, (v + 0.5) / 2 - 0.5
        expected = [fx / 2, fy / 2, (SIZE[1] - 1 - x if flip else x) - offset, y]
        np.testing.assert_allclose(cropped(our_camera("cityscapes"), offset, flip), expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize("rec", recordings("g15_intrinsics_"))
def test_our_inverse_is_the_recorded_pseudo_inverse(rec):
    """Q2: `inv_K` is a float32 pseudo-inverse, so it is off by float32 noise where ours is in closed form."""
    for key in (key for key in rec.arrays if key.endswith(".K")):
        found = camera.inverse_matrix(Intrinsics(*np.moveaxis(parts(rec[key]), -1, 0)))
        recorded = rec[key.replace(".K", ".inv_K")]
        # the largest entry is 1.2; singular values down to 1/2000 of the largest cost some of float32's 6e-8
        np.testing.assert_allclose(recorded[..., :3, :3], found, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("rec", recordings("g15_intrinsics_ssda"))
def test_the_published_normalised_camera_is_ours(rec, name, our_camera):
    fx, fy, u, v, width, height = rec[f"out64.{name}.fx_fy_u0_v0_fullw_fullh"]
    assert DATASETS[name][1] == (height, width)
    i, shift = our_camera(name), DATASETS[name][3]
    expected = [fx * SIZE[1], fy * SIZE[0], u * SIZE[1] + shift, v * SIZE[0] + shift]
    np.testing.assert_allclose([i.fx, i.fy, i.cx, i.cy], expected, rtol=1e-12)
