import csv
import io

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.display.budget import Budget, advice, budget_figure, doubling_limit, write_budget

# halves until 4 labels, then nothing comes any more
KNEE = Budget([1, 2, 4, 8, 16], [9, 8, 7, 6, 5], [8.0, 4.0, 2.0, 2.0, 2.0], [(4, 0.5), (20, 0.25)])


def width(budget):
    with Image.open(io.BytesIO(budget_figure(budget))) as image:
        assert image.format == "PNG"
        return image.width


def test_the_table_is_empty_where_nothing_is_known(tmp_path):
    path = write_budget(tmp_path / "new" / "budget.csv", KNEE)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == ["labels", "largest_distance", "mean_distance", "uncertainty"]
    assert rows[3] == ["4", "7", "2", "0.5"]
    assert rows[4] == ["8", "6", "2", ""]
    assert rows[6] == ["20", "", "", "0.25"]
    assert len(rows) == 7


def test_arrays_and_missing_columns_are_written(tmp_path):
    budget = Budget(np.arange(1, 3), None, np.array([1.5, np.nan], np.float32))
    assert write_budget(tmp_path / "b.csv", budget).read_text().splitlines()[1:] == ["1,,1.5,", "2,,,"]


def test_a_panel_is_drawn_for_what_is_known_only():
    coverage, scores = Budget([1, 2], [2, 1], [1, 0.5]), Budget([], uncertainty=[(5, 0.1)])
    assert width(coverage) == width(scores) < width(KNEE)
    assert width(Budget([])) == width(scores)
    assert width(Budget(np.arange(1, 100), None, np.ones(99))) == width(scores)


def test_lengths_and_order_are_checked():
    with pytest.raises(ValueError, match=r"Budget\.mean has 1 values for 2 numbers of labels"):
        Budget([1, 2], None, [1.0])
    with pytest.raises(ValueError, match="must ascend"):
        Budget([2, 1])


def test_the_limit_is_where_doubling_stops_to_bring_much():
    assert doubling_limit(KNEE) == 4
    assert "From about 4 labels on, every doubling lowers it by 10% at most" in advice(KNEE)
    assert "Going from 8 to 16 labels lowered the mean distance by 0%" in advice(KNEE)


def test_a_pause_before_a_gain_is_no_limit():
    assert doubling_limit(Budget([1, 2, 4, 8], None, [4.0, 4.0, 2.0, 1.0])) is None


def test_a_list_that_still_brings_much_has_no_limit():
    growing = Budget([1, 2, 4], None, [4.0, 2.0, 1.0])
    assert doubling_limit(growing) is None
    assert "Coverage still grows" in advice(growing)


def test_coverage_that_never_brings_much_is_called_no_guide():
    assert "no guide" in advice(Budget([1, 2, 4], None, [1.0, 0.99, 0.98]))
    assert "no guide" in advice(Budget([1, 2, 4], None, [0.0, 0.0, 0.0]))


def test_doublings_between_the_measured_numbers_are_interpolated():
    # 25 -> 50 brings 50 %; 50 -> 100 is not measured
    assert "Going from 25 to 50 labels lowered the mean distance by 50%" in advice(
        Budget([25, 45, 55], None, [4, 3, 1])
    )


@pytest.mark.parametrize("budget", [Budget([]), Budget([1, 2], [2.0, 1.0]), Budget([10, 15], None, [2.0, 1.0])])
def test_nothing_is_advised_without_a_measured_doubling(budget):
    assert advice(budget) == ""
    assert doubling_limit(budget) is None
