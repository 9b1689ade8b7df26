import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.mixing import depth, depth_elsewhere, masks
from sde_seg_jax.mixing.apply import next_in_batch
from sde_seg_jax.types import IGNORE

KEY = jax.random.key(3)


def disparities(batch, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(batch, 6, 8, 1)), jnp.float32)


def test_normalised_disparity_spans_zero_to_one_in_each_image():
    d = masks.normalize_disparity(disparities(3) * 0.2 + 0.4)
    np.testing.assert_array_equal(d.min(axis=(1, 2, 3)), np.zeros(3))
    np.testing.assert_array_equal(d.max(axis=(1, 2, 3)), np.ones(3))


def test_a_constant_disparity_normalises_to_zero_with_finite_gradient():
    flat = jnp.full((2, 6, 8, 1), 0.7)
    np.testing.assert_array_equal(masks.normalize_disparity(flat), np.zeros(flat.shape))
    assert jnp.isfinite(jax.grad(lambda d: masks.normalize_disparity(d).sum())(flat)).all()


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_depth_mix_keeps_what_is_nearer_than_the_partner_less_the_margin(batch, threshold):
    d = disparities(batch)
    mask = np.asarray(jax.jit(masks.depth_mix_mask)(d, next_in_batch(d), 0.03, threshold))
    assert mask.dtype == bool
    d = np.asarray(d)
    for i, row, column in np.ndindex(batch, 6, 8):
        here, there = d[i, row, column, 0], d[(i + 1) % batch, row, column, 0]
        assert mask[i, row, column, 0] == (here >= there - np.float32(0.03) and here >= np.float32(threshold))


def test_a_batch_of_one_is_its_own_partner_and_keeps_every_pixel():
    d = disparities(1)
    assert masks.depth_mix_mask(d, next_in_batch(d)).all()


def test_a_foreground_threshold_can_differ_between_images():
    d = disparities(2)
    mask = masks.depth_mix_mask(d, d, foreground_threshold=jnp.asarray([0.0, 2.0]))
    assert mask[0].all()
    assert not mask[1].any()


def test_thresholds_are_drawn_per_image_within_the_range():
    drawn = masks.draw_thresholds(KEY, disparities(64), (0.1, 0.4))
    assert drawn.shape == (64,)
    assert len(np.unique(drawn)) == 64
    assert 0.1 <= drawn.min() < 0.15
    assert 0.35 < drawn.max() <= 0.4


def test_an_impossible_threshold_range_is_refused():
    with pytest.raises(ValueError, match=r"\(low, high\)"):
        masks.depth_threshold_mask(disparities(2), KEY, (0.4, 0.1))


def test_the_depth_threshold_mask_compares_with_the_drawn_threshold():
    d = disparities(3)
    drawn = np.asarray(masks.draw_thresholds(KEY, d, (0.1, 0.4)))
    np.testing.assert_array_equal(masks.depth_threshold_mask(d, KEY), np.asarray(d) >= drawn[:, None, None, None])


def histogram_oracle(d, draw):
    """The published threshold, with NumPy's histogram."""
    values = np.log1p(d.astype(np.float64)).ravel()
    density, edges = np.histogram(values, 100, density=True)
    upper = next(edges[k + 1] for k in range(98, -1, -1) if density[k] > 1.5)
    cumulative = np.cumsum(density * np.diff(edges))
    lower = edges[np.argmax(cumulative > 0.4)]
    return lower + draw * (upper - lower)


def test_the_histogram_threshold_is_numpys():
    rng = np.random.default_rng(1)
    d = np.stack([rng.beta(2, 5, (40, 50, 1)), rng.uniform(0.2, 0.6, (40, 50, 1))]).astype(np.float32)
    draw = np.array([0.3, 0.9], np.float32)
    found = masks.histogram_threshold(jnp.asarray(d), jnp.asarray(draw))
    expected = [histogram_oracle(x, r) for x, r in zip(d, draw, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)  # float32 edges


def test_the_histogram_mask_uses_one_scale():
    d = disparities(3)
    draw = jax.random.uniform(KEY, (3,))
    threshold = np.expm1(np.asarray(masks.histogram_threshold(d, draw), np.float64))
    expected = np.asarray(d, np.float64) >= threshold[:, None, None, None]
    np.testing.assert_array_equal(masks.depth_histogram_mask(d, KEY), expected)


def test_the_histogram_mask_of_a_constant_map_keeps_everything():
    assert masks.depth_histogram_mask(jnp.zeros((2, 6, 8, 1)), KEY).all()


def test_a_histogram_without_a_populated_bin_still_has_a_threshold_within_the_image():
    # six bins of eight pixels over a span of log(256): every density is far below 1.5
    d = jnp.expm1(jnp.repeat(jnp.linspace(0.0, jnp.log(256.0), 48), 1)).reshape(1, 6, 8, 1)
    threshold = masks.histogram_threshold(d, jnp.asarray([0.5]))
    assert jnp.log1p(d).min() < threshold[0] < jnp.log1p(d).max()


def some_labels():
    label = np.full((3, 6, 8), IGNORE, np.uint8)
    label[0, :, :5] = [3, 0, 7, 7, 9]  # four classes and ignored pixels
    label[1, :, :3] = [1, 2, 5]  # three classes: one is chosen
    label[2, :2] = 4  # one class: none is chosen
    return label


@pytest.mark.parametrize("seed", range(5))
def test_class_mix_keeps_half_of_the_classes_rounded_down_and_never_ignored_pixels(seed):
    label = some_labels()
    mask = np.asarray(jax.jit(masks.class_mix_mask, static_argnums=2)(jnp.asarray(label), jax.random.key(seed), 10))[
        ..., 0
    ]
    for image, chosen in zip(label, mask, strict=True):
        present = set(np.unique(image)) - {IGNORE}
        kept = set(np.unique(image[chosen]))
        assert len(kept) == len(present) // 2
        assert kept <= present
        np.testing.assert_array_equal(chosen, np.isin(image, list(kept)))


def test_class_mix_draws_every_class_equally_often_and_each_image_for_itself():
    label = jnp.broadcast_to(jnp.asarray([0, 1, 2, 3]), (400, 1, 4))
    mask = np.asarray(masks.class_mix_mask(label, KEY, 4))[:, 0, :, 0]
    np.testing.assert_allclose(mask.mean(axis=0), 0.5, atol=0.1)  # 4 standard deviations of 400 draws
    assert len(np.unique(mask, axis=0)) == 6  # every pair out of four


def test_class_mix_of_ignored_pixels_only_keeps_nothing():
    assert not masks.class_mix_mask(jnp.full((2, 6, 8), IGNORE), KEY, 19).any()


def test_half_of_the_classes_takes_the_lowest_scores():
    present = jnp.asarray([[True, False, True, True, True, True]])
    chosen = masks.half_of_classes(present, jnp.asarray([[0.9, 0.0, 0.1, 0.5, 0.2, 0.3]]))
    np.testing.assert_array_equal(chosen, [[2, 4, -1, -1, -1, -1]])


def test_masks_from_elsewhere_are_those_of_the_pair_before():
    kept, under = (types.SimpleNamespace(disparity=disparities(4, seed)) for seed in (1, 2))
    of_pairs = depth.mask(kept, under, KEY, lambda key, d: 0.03)
    elsewhere = depth_elsewhere.mask(kept, under, KEY, lambda key, d: 0.03)
    np.testing.assert_array_equal(elsewhere[1:], of_pairs[:-1])
    np.testing.assert_array_equal(elsewhere[0], of_pairs[-1])
    assert (elsewhere != of_pairs).any()
