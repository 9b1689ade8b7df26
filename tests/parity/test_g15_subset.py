"""The published system's draw of labeled samples, and the order of its synthetic files."""

import numpy as np
import pytest
from golden import recordings

from sde_seg_jax.data.reading.subset import published_draw, published_permutation, subset

RECORDED = recordings("g15_restrict_to_subset")


class Files:
    """A training set whose order is not the sorted one."""

    name = "files"

    def __init__(self, count):
        self.names = [f"n{index:05d}" for index in range(count)][::-1]
        self.labeled = np.ones(count, bool)


@pytest.mark.parametrize("rec", RECORDED)
def test_the_published_draw_is_the_recorded_one(rec):
    for count, k, seed in rec.params["cases"]:
        drawn = published_draw(count, k, seed)
        np.testing.assert_array_equal(drawn, rec[f"out.labelled_{count}_{k}_{seed}"])
        rest = np.setdiff1d(np.arange(count), drawn)  # the unlabeled ones keep their order
        facts = [drawn[0], drawn[-1], rest[0], rest[-1], count, len(rest), len(drawn)]
        np.testing.assert_array_equal(facts, rec[f"out.both_first_last_{count}_{k}_{seed}"])


@pytest.mark.parametrize("rec", RECORDED)
def test_a_run_with_the_published_draw_uses_the_recorded_labels(rec):
    for count, k, seed in rec.params["cases"]:
        names = subset(Files(count), k, seed, draw="published")
        assert sorted(names) == [f"n{index:05d}" for index in rec[f"out.labelled_{count}_{k}_{seed}"]]


@pytest.mark.parametrize("rec", RECORDED)
def test_the_order_of_synthetic_files_is_the_recorded_one(rec):
    for count in rec.params["perm_n"]:
        np.testing.assert_array_equal(published_permutation(count, 0), rec[f"out.perm0_{count}"])
