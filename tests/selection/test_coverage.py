"""Coverage of the unlabeled by the labeled samples."""

import numpy as np
import pytest

from sde_seg_jax.selection.coverage import coverage
from sde_seg_jax.selection.farthest_point import sample


def test_coverage_is_measured_from_the_unlabeled_to_their_nearest_labeled_sample():
    x = np.array([0, 10, 1, 5], np.float32).reshape(4, 1, 1, 1)
    found = coverage(x, [0, 1, 3, 2])
    assert found.largest.tolist() == [10, 5, 1, 0]
    assert found.mean.tolist() == pytest.approx([16 / 3, 3, 1, 0])


@pytest.mark.parametrize("options", [{}, {"p": 1.0}, {"patchwise": True}])
def test_the_largest_distance_is_that_of_the_next_farthest_point(options):
    x = np.random.default_rng(0).standard_normal((12, 2, 2, 3)).astype(np.float32)
    picks = sample(x, [3], 11, **options)
    found = coverage(x, [3, *picks.indices], **options)
    np.testing.assert_array_equal(found.largest[:-1], picks.distances)
    assert (np.diff(found.largest) <= 0).all()


def test_progress_and_errors():
    x, seen = np.zeros((3, 1, 1, 1), np.float32), []
    coverage(x, [0, 1], progress=seen.append)
    assert seen == [1, 2]
    for order in ([0, 0], [3], [-1]):
        with pytest.raises(ValueError, match="different indices of 3 samples"):
            coverage(x, order)
