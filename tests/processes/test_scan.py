"""A scan by several processes: each looks at files of its own, and all find the same."""

import pickle

import numpy as np
import toy_scan

import launch


def test_two_share_the_files_of_a_scan_and_both_find_all(tmp_path):
    launch.together("scan", tmp_path)
    (found, first), (other, second) = pickle.loads((tmp_path / "scan").read_bytes())
    np.testing.assert_array_equal(found, 3 * np.arange(toy_scan.COUNT))
    np.testing.assert_array_equal(other, found)
    assert (first, second) == ([0, 1, 4, 5], [2, 3, 6, 6])  # the last batch is filled up
