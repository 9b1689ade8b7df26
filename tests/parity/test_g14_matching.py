"""Matching Geometry Sampling against the published one: distances of the candidates, and which of them is chosen."""

import numpy as np
import pytest
from golden import both_precisions, recordings

from sde_seg_jax.data.matching.geometry_distance import SCALES, distances, row_weights

BANDS = (80, 100)  # rows above and below, whatever the height
CASES = {f"scale_{scale}": {"scale": scale} for scale in SCALES} | {
    "nocrop": {"bands": (0, 0)},
    "bound": {"bound": 0.1},
    "low": {"inputs": ("target_low", "source_low")},
}


@pytest.mark.parametrize("rec", recordings("g14_matching_geometry"))
@pytest.mark.parametrize("case", CASES)
@both_precisions
def test_the_nearest_of_the_recorded_candidates_is_the_recorded_one(rec, case, dtype):
    options = dict(CASES[case])
    target, source = (rec.input(name, dtype) for name in options.pop("inputs", ("target", "source")))
    bases = list(range(len(target)))
    compare(rec, case, [(target[i], source) for i in bases], dtype, **options)
    np.testing.assert_array_equal(rec[f"out.{case}.source_target"][:, 1], bases)
    assert rec[f"out.{case}.len"] == len(target)


@pytest.mark.parametrize("rec", recordings("g14_matching_geometry"))
@both_precisions
def test_bidirectional_pairs_start_from_target_and_source_in_turn(rec, dtype):
    target, source = rec.input("target", dtype), rec.input("source", dtype)
    pairs = rec["out.bidirectional.source_target"]
    found = [(source[i // 2], target) if i % 2 else (target[i // 2], source) for i in range(len(pairs))]
    compare(rec, "bidirectional", found, dtype, chosen=[pair[i % 2] for i, pair in enumerate(pairs)])
    np.testing.assert_array_equal([pair[1 - i % 2] for i, pair in enumerate(pairs)], np.arange(len(pairs)) // 2)
    assert rec["out.bidirectional.len"] == 2 * max(len(target), len(source))


@pytest.mark.parametrize("rec", recordings("g14_matching_geometry"))
def test_every_recorded_scale_is_known(rec):
    assert set(rec.params["scales"]) == set(SCALES)


def compare(rec, case, pairs, dtype, *, scale="log1", bands=BANDS, bound=None, chosen=None):
    """`pairs`: (base map, maps of the other domain), one for each recorded list of candidates."""
    chosen = rec[f"out.{case}.source_target"][:, 0] if chosen is None else chosen
    found, picks = [], []
    for (base, others), drawn in zip(pairs, rec.params["candidates"], strict=False):  # as many lists as were needed
        drawn = np.array(drawn) % len(others)  # the recorder's lists go up to 6
        weights = row_weights(len(base), *bands)
        found.append(distances(SCALES[scale](base), SCALES[scale](others[drawn]), weights, bound))
        assert found[-1].dtype == dtype
        picks.append(drawn[np.argmin(found[-1])])
    rec.assert_matches(f"{case}.criteria", np.stack(found))
    np.testing.assert_array_equal(picks, chosen)
