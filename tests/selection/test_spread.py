import numpy as np
import pytest

from sde_seg_jax.selection import farthest_point
from sde_seg_jax.selection.spread import Spread, highest, in_order

GROUPS = np.array([0, 0, 0, 0, 1, 1, 2])


def test_each_pick_comes_from_a_group_with_the_fewest():
    picks = in_order(range(7), 7, Spread(GROUPS))
    assert picks == [0, 4, 6, 1, 5, 2, 3]


def test_what_is_chosen_counts_and_is_passed_over():
    assert in_order(range(7), 3, Spread(GROUPS, [0, 1, 4]), [0, 1, 4]) == [6, 5, 2]


def test_more_than_there_are_gives_all():
    assert sorted(in_order([1, 0, 2], 9, Spread(np.zeros(3, int)))) == [0, 1, 2]


def test_the_highest_of_each_group_come_first():
    scores = np.array([9.0, 8.0, 7.0, 6.0, 5.0, 5.0, 1.0])
    assert highest(scores, 4, Spread(GROUPS), range(7)) == [0, 4, 6, 1]
    assert highest(scores, 2, Spread(GROUPS), [2, 3, 5]) == [2, 5]


def test_farthest_points_are_spread_over_groups():
    features = np.array([0.0, 10.0, 20.0, 30.0, 1.0, 2.0, 0.5], np.float32).reshape(7, 1, 1, 1)
    alone = farthest_point.sample(features, [0], 3).indices
    assert alone.tolist() == [3, 1, 2]
    spread = farthest_point.sample(features, [0], 3, spread=Spread(GROUPS, [0])).indices
    assert GROUPS[spread].tolist()[:2] in ([1, 2], [2, 1])
    assert spread[2] == 3


@pytest.mark.parametrize("count", [1, 5])
def test_one_group_is_no_constraint(count):
    features = np.random.default_rng(0).normal(size=(9, 1, 1, 4)).astype(np.float32)
    plain = farthest_point.sample(features, [2], count)
    spread = farthest_point.sample(features, [2], count, spread=Spread(np.zeros(9, int), [2]))
    np.testing.assert_array_equal(plain.indices, spread.indices)
