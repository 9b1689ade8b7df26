"""Agreement of two selections."""

import pytest

from sde_seg_jax.selection.overlap import Overlap, overlap


def test_the_first_samples_of_both_lists_are_compared_as_sets():
    found = overlap(["a", "b", "c", "d"], ["b", "a", "x", "c"], [2, 3, 4], total=10)
    assert found == [Overlap(2, 2, 2, 2, 0.4), Overlap(3, 2, 3, 3, 0.9), Overlap(4, 3, 4, 4, 1.6)]


def test_a_list_may_be_shorter_than_a_step_and_the_total_unknown():
    assert overlap([5, 6], [6], [3]) == [Overlap(3, 1, 2, 1, None)]


def test_a_duplicate_is_named():
    with pytest.raises(ValueError, match="the other list names 'b' twice"):
        overlap(["a"], ["b", "a", "b"], [1])
