"""Distances between samples, against their definition."""

import numpy as np
import pytest

from sde_seg_jax.selection.distances import pairwise, rows
from sde_seg_jax.selection.features import empty


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
def test_distances_are_norms_of_differences(p):
    x = np.random.default_rng(0).standard_normal((5, 2, 3, 4)).astype(np.float32)
    flat = x.reshape(5, -1).astype(np.float64)
    expected = (np.abs(flat[:, None] - flat[None]) ** p).sum(-1) ** (1 / p)
    np.testing.assert_allclose(pairwise(x, p=p), expected, rtol=2e-6)  # sums of 24 numbers in float32


def test_patchwise_distance_asks_how_well_own_patches_are_found_in_the_other_image():
    x = np.array([[0, 0], [0, 3], [7, 3]], np.float32).reshape(3, 1, 2, 1)
    expected = [[0, 0, 3], [1.5, 0, 1.5], [5, 2, 0]]  # row: own patches
    np.testing.assert_array_equal(pairwise(x, patchwise=True), expected)


def test_where_a_patch_lies_does_not_matter_patchwise():
    x = np.random.default_rng(1).standard_normal((1, 2, 3, 4)).astype(np.float32)
    pair = np.concatenate([x, x[:, ::-1, ::-1]])
    assert not pairwise(pair, patchwise=True).any()
    assert pairwise(pair)[0, 1] > 1


def test_near_duplicates_keep_their_small_distance():
    # far from the origin, where |x|^2 + |y|^2 - 2 x.y in float32 leaves nothing of it
    x = np.full((2, 1, 1, 64), 1000, np.float32)
    x[1] += np.float32(2**-10)
    np.testing.assert_array_equal(rows(x)(0), [0, 2**-7])


def test_half_precision_features_are_compared_in_single_precision():
    x = np.random.default_rng(2).standard_normal((3, 4, 8, 64)).astype(np.float16)
    x[1] = 300  # the squares' sum exceeds what float16 holds
    found = pairwise(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, pairwise(x.astype(np.float32)))


def test_the_bias_goes_to_columns_and_the_diagonal_stays_zero():
    x = np.array([0, 3], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_array_equal(pairwise(x, bias=np.array([10, 20])), [[0, 23], [13, 0]])


def test_aligned_features_are_not_copied(monkeypatch):
    import jax

    monkeypatch.setattr("sde_seg_jax.selection.distances.jax.local_devices", lambda: jax.devices()[:1])
    x = empty((4, 2, 2, 16), np.float32)
    x[:] = 1
    row = rows(x)
    x[2] = 3  # seen: memory is shared (a caller must not do this)
    assert row(0).tolist() == [0, 0, 16, 0]
