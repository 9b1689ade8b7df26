"""Farthest-point sampling: the same picks as the whole matrix, under every option; clear errors."""

import jax
import numpy as np
import pytest

from sde_seg_jax.selection import distances
from sde_seg_jax.selection.farthest_point import from_matrix, sample

OPTIONS = {"euclidean": {}, "absolute": {"p": 1.0}, "cubic": {"p": 3.0}, "patchwise": {"patchwise": True}}


def points(seed, count=40):
    return np.random.default_rng(seed).standard_normal((count, 2, 3, 5)).astype(np.float32)


def line(*positions):
    """Samples on a line, [N, 1, 1, 1]."""
    return np.array(positions, np.float32).reshape(-1, 1, 1, 1)


def by_hand(matrix, chosen, count, allowed):
    """Farthest points by double loop, for whole matrices without ties."""
    chosen, found = list(chosen), []
    for _ in range(count):
        reach = {j: min(matrix[i, j] for i in chosen) for j in allowed if j not in chosen}
        chosen.append(max(reach, key=reach.get))
        found.append(reach[chosen[-1]])
    return chosen[-count:], found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("preselected", [False, True])
def test_picks_are_those_of_the_whole_matrix(name, biased, preselected, seed):
    features, rng = points(seed), np.random.default_rng(seed + 100)
    bias = 3 * rng.random(40).astype(np.float32) if biased else None
    candidates = rng.permutation(40)[:20] if preselected else None
    matrix = distances.pairwise(features, bias=bias, **OPTIONS[name])
    picks = sample(features, [4, 17], 12, bias=bias, candidates=candidates, **OPTIONS[name])
    exact = from_matrix(matrix, [4, 17], 12, candidates)
    indices, found = by_hand(matrix, [4, 17], 12, range(40) if candidates is None else candidates)
    assert picks.indices.tolist() == exact.indices.tolist() == indices
    assert picks.distances.tolist() == exact.distances.tolist() == found


def test_a_line_is_halved_from_its_ends():
    picks = sample(line(0, 10, 1, 5, 2.4), [0], 4)
    assert picks.indices.tolist() == [1, 3, 4, 2]
    assert picks.distances.tolist() == pytest.approx([10, 5, 2.4, 1])
    assert (picks.indices.dtype, picks.distances.dtype) == (np.int64, np.float32)


def test_the_bias_is_added_to_the_distance_of_a_candidate():
    picks = sample(line(0, 10, 1, 5), [0], 2, bias=np.array([1e6, 0, 20, 0]))  # that of chosen samples does not matter
    assert (picks.indices.tolist(), picks.distances.tolist()) == ([2, 1], [21, 9])


def test_only_candidates_are_picked_and_chosen_ones_never_again():
    assert sample(line(0, 10, 1, 5), [0], 2, candidates=[0, 2, 3]).indices.tolist() == [3, 2]


def test_constant_features_give_different_samples_in_index_order():
    picks = sample(np.ones((6, 1, 2, 3), np.float32), [2], 5)
    assert picks.indices.tolist() == [0, 1, 3, 4, 5]
    assert not picks.distances.any()


def test_ties_go_to_the_first_index():
    assert sample(line(0, 3, -3, 3), [0], 2).indices.tolist() == [1, 2]


def test_the_number_of_devices_and_chunks_changes_nothing(monkeypatch):
    features = points(5, 41)
    expected = sample(features, [0], 40)
    assert len(jax.local_devices()) == 2
    for devices in (jax.local_devices()[:1], jax.local_devices()):
        monkeypatch.setattr(distances.jax, "local_devices", lambda devices=devices: devices)
        for rows in (1, 7, 41):
            monkeypatch.setattr(distances, "CHUNK_BYTES", rows * features[0].nbytes)
            picks = sample(features, [0], 40)
            assert picks.indices.tolist() == expected.indices.tolist()
            assert picks.distances.tolist() == expected.distances.tolist()


def test_picks_go_on_where_an_earlier_call_ended():
    features = points(6)
    whole = sample(features, [0], 10).indices.tolist()
    first = sample(features, [0], 4).indices.tolist()
    assert first + sample(features, [0, *first], 6).indices.tolist() == whole


def test_progress_tells_how_many_are_picked():
    seen = []
    sample(line(0, 1, 2, 3), [0], 3, progress=seen.append)
    assert seen == [1, 2, 3]


def test_no_picks_are_no_error():
    assert sample(line(0, 1), [0], 0).indices.tolist() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 4}, r"4 picks from 3 candidates \(4 samples, 1 chosen already\); ask for fewer or add samples"),
        ({"candidates": [0, 1, 2], "count": 3}, "3 picks from 2 candidates"),
        ({"count": -1}, "-1 picks"),
        ({"chosen": []}, "nothing is chosen yet; start with one sample"),
        ({"chosen": [1, 2, 1]}, "sample 1 is chosen twice"),
        ({"chosen": [4]}, "chosen sample 4 is not among the 4 samples; use 0 to 3"),
        ({"chosen": [-1]}, "chosen sample -1 is not among"),
        ({"chosen": [0.5]}, "integer indices"),
        ({"candidates": [1, 9]}, "candidate sample 9 is not among"),
        ({"bias": np.array([0, 0, np.nan, 0])}, r"shape \(4,\) with 1 values not finite"),
        ({"bias": np.zeros(3)}, r"bias for each of the 4 samples, got shape \(3,\)"),
        ({"p": 0.5}, "p is 0.5; a distance needs 1 <= p < inf"),
        ({"features": np.zeros((4, 3), np.float32)}, r"\[N, h, w, C\], got float32 \(4, 3\)"),
        ({"features": np.zeros((4, 1, 1, 1), np.uint8)}, "got uint8"),
        ({"features": line(0, np.nan, 2, 3)}, "distance from sample 0 to sample 1 is nan; features must be finite"),
    ],
)
def test_impossible_arguments_are_named_with_a_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample(**{"features": line(0, 1, 2, 3), "chosen": [0], "count": 2} | arguments)


def test_a_matrix_must_be_square():
    with pytest.raises(ValueError, match=r"square matrix of distances, got shape \(3, 4\)"):
        from_matrix(np.zeros((3, 4)), [0], 1)
