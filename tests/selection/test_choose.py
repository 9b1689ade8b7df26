"""Choosing by score alone."""

import numpy as np
import pytest

from sde_seg_jax.selection.choose import most_uncertain, preselect

SCORES = np.array([0.1, 0.9, 0.5, 0.9, 0.3])


def test_the_highest_scores_come_first_and_ties_in_index_order():
    assert most_uncertain(SCORES, 3).tolist() == [1, 3, 2]
    assert most_uncertain(SCORES, 2, [4, 2, 0]).tolist() == [2, 4]
    assert most_uncertain(SCORES, 0).tolist() == []


def test_several_criteria_choose_in_turn_and_nobody_twice():
    both = np.stack([SCORES, [0.2, 0.8, 0.0, 0.1, 0.7]], axis=1)
    assert most_uncertain(both, 4).tolist() == [1, 3, 4, 0]  # sample 1 is the best of both
    assert most_uncertain(both, 3).tolist() == [1, 3, 4]
    assert most_uncertain(both, 5).tolist() == [1, 3, 2, 4, 0]


def test_scores_of_other_samples_are_not_read():
    assert most_uncertain(np.array([np.nan, 1, 2]), 2, [1, 2]).tolist() == [2, 1]
    with pytest.raises(ValueError, match="the score of sample 0 is NaN"):
        most_uncertain(np.array([np.nan, 1, 2]), 2)


def test_a_preselection_takes_all_where_there_are_fewer():
    assert preselect(SCORES, 3).tolist() == [1, 2, 3]
    assert preselect(SCORES, 9, [4, 0]).tolist() == [0, 4]


def test_impossible_counts_and_candidates_are_refused():
    with pytest.raises(ValueError, match="6 picks from 5 candidates; ask for fewer"):
        most_uncertain(SCORES, 6)
    with pytest.raises(ValueError, match="candidate 5 is not among the 5 samples; use 0 to 4"):
        preselect(SCORES, 2, [5])
