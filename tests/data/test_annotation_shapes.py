"""Regions of pixels: run lengths and polygons."""

import numpy as np
import pytest

from sde_seg_jax.data.annotation import shapes


def test_runs_go_row_after_row_and_start_outside():
    mask = np.array([[0, 1, 1], [1, 0, 0]], bool)
    assert shapes.runs(mask) == [1, 3, 2]
    assert shapes.runs(~mask) == [0, 1, 3, 2]


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_comes_back_from_its_runs(seed):
    mask = np.random.default_rng(seed).random((5, 7)) < 0.5
    np.testing.assert_array_equal(shapes.from_runs(shapes.runs(mask), 5, 7), mask)


def test_what_is_missing_at_the_end_is_outside():
    assert shapes.from_runs([1, 2], 2, 2).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("runs", [[1, 4], [2, -1]])
def test_runs_that_do_not_fit_are_refused(runs):
    with pytest.raises(ValueError, match="2 x 2"):
        shapes.from_runs(runs, 2, 2)


def test_a_box_is_the_smallest_around_a_mask():
    mask = np.zeros((5, 7), bool)
    mask[1, 2] = mask[3, 5] = True
    assert shapes.box(mask) == (slice(1, 4), slice(2, 6))


def draw(points, height=4, width=6):
    return ["".join(".#"[int(x)] for x in row) for row in shapes.from_polygon(np.array(points), height, width)]


def test_a_polygon_has_the_pixels_whose_centers_are_inside():
    assert draw([(1, 1), (4, 1), (4, 3), (1, 3)]) == ["......", ".###..", ".###..", "......"]
    assert draw([(1.4, 1.4), (4.6, 1.4), (4.6, 2.6), (1.4, 2.6)]) == ["......", ".####.", ".####.", "......"]
    assert draw([(0, 0), (6, 0), (0, 4)]) == ["#####.", "####..", "##....", "#....."]


def test_neighboring_polygons_leave_no_gap_and_do_not_overlap():
    corner, rim = (2.3, 1.7), [(0, 0), (6, 0), (6, 4), (0, 4)]
    parts = [shapes.from_polygon(np.array([corner, rim[i - 1], rim[i]]), 4, 6) for i in range(4)]
    np.testing.assert_array_equal(np.sum(parts, axis=0), np.ones((4, 6)))


def test_what_is_inside_twice_is_a_hole():
    outer, hole = [(0, 0), (6, 0), (6, 4), (0, 4), (0, 0)], [(2, 1), (4, 1), (4, 3), (2, 3), (2, 1)]
    assert draw(outer + hole) == ["######", "##..##", "##..##", "######"]


def test_a_polygon_beyond_the_picture_is_cut_off():
    assert draw([(-5, -5), (2, -5), (2, 9), (-5, 9)]) == ["##...."] * 4
    assert draw([(7, 0), (9, 0), (9, 4)]) == ["......"] * 4


@pytest.mark.parametrize("points", [[(0, 0), (1, 1)], [(0, 0), (1, 1), (np.nan, 2)]])
def test_a_polygon_that_is_none_is_refused(points):
    with pytest.raises(ValueError, match="expected three or more finite points"):
        shapes.from_polygon(np.array(points, float), 4, 6)
