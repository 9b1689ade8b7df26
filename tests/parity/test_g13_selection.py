"""Data selection against the published one: distances, farthest points, scores and the picks that follow."""

import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nhwc, recordings

from sde_seg_jax.selection import choose, features, uncertainty
from sde_seg_jax.selection.distances import pairwise
from sde_seg_jax.selection.farthest_point import from_matrix, sample

DISTANCES = {
    "plain": {},
    "norm": {"norm": True},
    "norm_bias": {"norm": True, "bias": True},
    "norm_p1": {"norm": True, "p": 1.0},
    "norm_pw": {"norm": True, "patchwise": True},
    "pw_bias": {"patchwise": True, "bias": True},
}
MASKED = [0, 1, 2, 3]  # the images of `out.dilated_masks`
CHOOSING = "abs_log"  # the depth error that the recorded bias and picks come from


@pytest.mark.parametrize("rec", recordings("g13_feature_distance"))
@pytest.mark.parametrize("kind", DISTANCES)
@both_precisions
def test_feature_distances_are_the_recorded_ones(rec, kind, dtype):
    options = dict(DISTANCES[kind])
    x = nhwc(rec.input("features", dtype))
    x = features.standardize(x) if options.pop("norm", False) else x
    bias = rec.input("bias", dtype) if options.pop("bias", False) else None
    rec.assert_matches(kind, pairwise(x, bias=bias, **options))


@pytest.mark.parametrize("rec", recordings("g13_ifp"))
@pytest.mark.parametrize("case", ["from1", "from3", "presel", "from3_presel"])
def test_farthest_points_of_a_matrix_are_the_recorded_ones(rec, case):
    candidates = rows_of(rec, rec["out.preselected"]) if "presel" in case else None
    chosen = rows_of(rec, rec[f"out.{case}_initial"])
    picks = from_matrix(rec["in.dist"], chosen, rec.params["n_new"], candidates)
    np.testing.assert_array_equal(rec["in.ids"][picks.indices], rec[f"out.{case}_ids"])
    np.testing.assert_array_equal(picks.distances, rec[f"out.{case}_dist"])


@pytest.mark.parametrize("rec", recordings("g13_ifp"))
def test_one_or_two_criteria_choose_the_recorded_samples(rec):
    for scores, recorded in (("score", "score_ids"), ("score2", "score_list_ids")):
        picks = choose.most_uncertain(rec[f"in.{scores}"], rec.params["n_new"])
        np.testing.assert_array_equal(rec["in.ids"][picks], rec[f"out.{recorded}"])


@pytest.mark.parametrize("rec", recordings("g13_ifp"))
def test_farthest_points_among_the_most_uncertain_are_the_recorded_ones(rec):
    count = len(rec["out.ifp_presel15_ids"])
    # The initial samples are not in the recording: n_new counts them, so there are two; the first two ids.
    chosen = list(range(rec.params["n_new"] - count))
    left = np.setdiff1d(np.arange(len(rec["in.ids"])), chosen)
    candidates = choose.preselect(rec["in.score"], int(1.5 * count), left)
    picks = from_matrix(rec["in.dist"], chosen, count, candidates)
    np.testing.assert_array_equal(rec["in.ids"][picks.indices], rec["out.ifp_presel15_ids"])


@pytest.mark.parametrize("rec", recordings("g13_acquire_scores"))
@both_precisions
def test_depth_errors_of_every_kind_and_their_masks_are_the_recorded_ones(rec, dtype):
    teacher, student = disparities(rec, dtype)
    assert set(uncertainty.KINDS) == set(rec.params["types"])
    scores = [np.asarray(depth_scores(rec, dtype, kind))[rec["out.scored_ids"]] for kind in rec.params["types"]]
    rec.assert_matches("depth_errors", np.stack(scores))
    rec.assert_matches("dilated_masks", uncertainty.far_away(teacher[jnp.array(MASKED)], 0.07, 7).astype(jnp.uint8))
    rows = int(0.87 * teacher.shape[1])
    assert not uncertainty.depth_error(student, teacher)[:, rows:].any()


@pytest.mark.parametrize("rec", recordings("g13_acquire_scores"))
@both_precisions
def test_entropy_is_the_recorded_one(rec, dtype):
    rec.assert_matches("entropy_mean", entropy_scores(rec, dtype)[rec["out.scored_ids"]])


@pytest.mark.parametrize("rec", recordings("g13_acquire_scores"))
@both_precisions
def test_distances_of_pooled_features_are_the_recorded_ones(rec, dtype):
    x = points(rec, dtype)
    np.testing.assert_array_equal(rec["out.distance_ids"], np.arange(len(x)))
    rec.assert_matches("distances_nobias", pairwise(x))
    rec.assert_matches("distances", pairwise(x, bias=bias(rec, dtype)))


@pytest.mark.parametrize("rec", recordings("g13_acquire_scores"))
@both_precisions
def test_new_samples_are_the_recorded_ones(rec, dtype):
    x, labeled, scored = points(rec, dtype), rec.params["labeled"], rec["out.scored_ids"]
    count = rec.params["n_new_subset"] - len(labeled)
    np.testing.assert_array_equal(scored, np.setdiff1d(np.arange(len(x)), labeled))
    for name, added in (("ds_us", bias(rec, dtype)), ("ds", None)):
        expected = rec[f"out.{name}"]
        np.testing.assert_array_equal(expected[: len(labeled)], labeled)
        for picks in (sample(x, labeled, count, bias=added), from_matrix(pairwise(x, bias=added), labeled, count)):
            np.testing.assert_array_equal(picks.indices, expected[len(labeled) :])
    for name, scores in (("us", depth_scores(rec, dtype)), ("us_entropy", entropy_scores(rec, dtype))):
        picks = choose.most_uncertain(scores, count, scored)
        np.testing.assert_array_equal([*labeled, *picks], rec[f"out.{name}"])


@pytest.mark.parametrize("rec", recordings("g13_acquire_scores"))
@both_precisions
def test_the_initial_selection_goes_from_a_seeded_sample_to_the_farthest_ones(rec, dtype):
    x, expected = points(rec, dtype), rec["out.initial_ifp"]
    permutation = np.random.RandomState(rec.params["seed"]).permutation(len(x))
    np.testing.assert_array_equal(permutation, rec["out.permutation"])
    for picks in (sample(x, permutation[:1], 4), from_matrix(pairwise(x), permutation[:1], 4)):
        np.testing.assert_array_equal([permutation[0], *picks.indices], expected)


def rows_of(rec, ids):
    return [rec["in.ids"].tolist().index(name) for name in ids]


def disparities(rec, dtype):
    return [jnp.asarray(rec.input(f"{who}_disp", dtype)[:, 0]) for who in ("teacher", "student")]


def points(rec, dtype):
    pooled = features.adaptive_pool(jnp.asarray(nhwc(rec.input("features", dtype))))
    return features.standardize(np.asarray(pooled))


def depth_scores(rec, dtype, kind=CHOOSING):
    teacher, student = disparities(rec, dtype)
    return np.asarray(uncertainty.depth_error(student, teacher, kind=kind).mean((1, 2)))


def entropy_scores(rec, dtype):
    return np.asarray(uncertainty.entropy(jnp.asarray(nhwc(rec.input("logits", dtype)))).mean((1, 2)))


def bias(rec, dtype):
    """1000 times the depth error; 0 for labeled images."""
    result = rec.params["bias_weight"] * depth_scores(rec, dtype)
    result[rec.params["labeled"]] = 0
    return result
