import math

import numpy as np
import pytest

from sde_seg_jax.evaluation.depth import (
    ERRORS,
    best_constant_depth,
    constant_depth_errors,
    depth_errors,
    mean_errors,
    scale_to_median,
)


def some_maps(batch, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.uniform(1, 90, (batch, 6, 8))
    true[:, :2] = 0  # no ground truth
    return true.astype(np.float32), rng.uniform(0.1, 3, (batch, 6, 8)).astype(np.float32)


def oracle(true, predicted, median_scaling):
    """Errors of one image, pixel by pixel."""
    pairs = [(float(t), float(p)) for t, p in zip(true.ravel(), predicted.ravel(), strict=True) if 1e-3 < t < 80]
    if median_scaling:
        scale = np.median([t for t, _ in pairs]) / np.median([p for _, p in pairs])
        pairs = [(t, p * scale) for t, p in pairs]
    pairs = [(t, min(max(p, 1e-3), 80.0)) for t, p in pairs]
    n = len(pairs)
    return {
        "abs_rel": sum(abs(t - p) / t for t, p in pairs) / n,
        "sq_rel": sum((t - p) ** 2 / t for t, p in pairs) / n,
        "rmse": math.sqrt(sum((t - p) ** 2 for t, p in pairs) / n),
        "rmse_log": math.sqrt(sum((math.log(t) - math.log(p)) ** 2 for t, p in pairs) / n),
        **{f"a{k}": sum(max(t / p, p / t) < 1.25**k for t, p in pairs) / n for k in (1, 2, 3)},
    }


@pytest.mark.parametrize("batch", [1, 3])
def test_errors_are_those_of_a_loop_over_pixels(batch):
    true, predicted = some_maps(batch)
    unscaled, scaled = depth_errors(true, predicted), depth_errors(true, scale_to_median(true, predicted))
    for found, median_scaling in ((unscaled, False), (scaled, True)):
        assert tuple(found) == ERRORS
        for i in range(batch):
            for name, value in oracle(true[i], predicted[i], median_scaling).items():
                assert found[name][i] == pytest.approx(value, rel=1e-12)


def test_true_depth_in_another_scale_is_perfect_under_median_scaling_only():
    true = np.clip(some_maps(2)[0], 0, 79)
    guess = np.where(true > 0, true, 1) * np.array([0.03, 4.0])[:, None, None]
    scaled, unscaled = depth_errors(true, scale_to_median(true, guess)), depth_errors(true, guess)
    assert (scaled["a1"] == 1).all()
    assert (scaled["abs_rel"] < 1e-12).all()
    assert (unscaled["abs_rel"] > 0.5).all()


def test_predictions_where_truth_is_missing_are_inert():
    true, predicted = some_maps(2)
    other = scale_to_median(true, np.where(true == 0, np.nan, predicted))
    expected = depth_errors(true, scale_to_median(true, predicted))
    for name, values in depth_errors(true, other).items():
        np.testing.assert_array_equal(values, expected[name])


def test_the_mean_is_over_images_of_all_batches_and_leaves_out_those_without_truth():
    true, predicted = some_maps(3)
    true[1] = 0
    found = depth_errors(true, predicted)
    assert np.isnan(found["rmse"]).tolist() == [False, True, False]
    parts = [depth_errors(true[:2], predicted[:2]), depth_errors(true[2:], predicted[2:])]
    assert mean_errors(parts) == pytest.approx({name: (v[0] + v[2]) / 2 for name, v in found.items()})


def test_no_truth_at_all_is_nan():
    for batches in ([depth_errors(np.zeros((2, 6, 8)), np.ones((2, 6, 8)))], []):
        assert all(np.isnan(value) for value in mean_errors(batches).values())


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_impossible_predictions_are_refused(bad):
    true, predicted = some_maps(1)
    at = tuple(np.argwhere((true > 0) & (true < 80))[0])
    predicted[at] = bad
    with pytest.raises(ValueError, match="positive and finite"):
        depth_errors(true, predicted)


def test_maps_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="expected two maps"):
        depth_errors(np.ones((1, 6, 8)), np.ones((1, 6, 8, 1)))


def test_the_best_constant_beats_every_other_constant_on_a_fine_grid():
    true, _ = some_maps(3)
    true[0, 2:5] = 0  # images of unequal weight per pixel

    def abs_rel(c):
        return depth_errors(true, np.full(true.shape, c))["abs_rel"].mean()

    best = best_constant_depth(true)
    assert best in true.astype(np.float64)
    assert abs_rel(best) <= min(abs_rel(c) for c in np.linspace(0.5, 80, 400))


def test_a_constant_map_under_median_scaling_predicts_each_images_median():
    true, _ = some_maps(3)
    medians = np.array([np.median(t[(t > 1e-3) & (t < 80)]) for t in true.astype(np.float64)])
    expected = mean_errors([depth_errors(true, np.broadcast_to(medians[:, None, None], true.shape))])
    found = constant_depth_errors(true)
    assert found["median_scaled"] == pytest.approx(expected)
    assert found["constant"] == best_constant_depth(true)
    assert found["unscaled"] == mean_errors([depth_errors(true, np.full(true.shape, found["constant"]))])


def test_a_constant_for_maps_without_truth_is_refused():
    with pytest.raises(ValueError, match="no true depth"):
        best_constant_depth(np.zeros((1, 6, 8)))


def test_scaling_leaves_an_image_without_truth_alone():
    predicted = np.full((1, 6, 8), 2.0)
    np.testing.assert_array_equal(scale_to_median(np.zeros((1, 6, 8)), predicted), predicted)
