"""How the published systems wrote disparities to files: ssda 16 bit as they are, master 8 bit, normalised per image."""

import jax
import numpy as np
import pytest
from golden import recordings

from sde_seg_jax.data.stored.depth_cache import decode, encode, quantize
from sde_seg_jax.geometry.depth import disparity_to_depth
from sde_seg_jax.mixing.masks import normalize_disparity


@pytest.mark.parametrize("rec", recordings("g15_sde_inference_png"))
def test_cached_levels_are_the_published_ones(rec):
    disparity = rec["in.disp"][:, 0]
    rec.assert_matches("raw", quantize(disparity))
    for one, expected in zip(disparity, rec["out.raw"], strict=True):
        np.testing.assert_array_equal(quantize(decode(encode(one))), expected)


@pytest.mark.parametrize("rec", recordings("g15_sde_inference_png"))
def test_the_published_depth_images_follow_from_the_disparity(rec):
    depth = np.asarray(disparity_to_depth(rec["in.disp"][:, 0], 0.1, 100.0))
    rec.assert_matches("normdepth", (np.clip(depth, 0.1, 10) / np.float32(10) * np.float32(65535)).astype(np.uint16))


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("rec", recordings("g15_depth_estimator_png"))
def test_disparity_normalised_per_image_has_the_published_levels(rec, compiled):
    normalize = jax.jit(normalize_disparity) if compiled else normalize_disparity
    found = np.asarray(normalize(np.moveaxis(rec["in.disp"], 1, -1)))[..., 0]
    rec.assert_matches("png", np.floor(found * np.float32(255)).astype(np.uint8))
