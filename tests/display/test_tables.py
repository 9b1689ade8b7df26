import math

import pytest

from sde_seg_jax.display.tables import (
    Chip,
    Column,
    Spread,
    duration,
    html_table,
    integer,
    markdown_table,
    number,
    over_seeds,
    percent,
    points,
)


@pytest.mark.parametrize("text", [number(None), percent(None), points(None), integer(None), duration(None)])
def test_what_was_not_measured_reads_not_run(text):
    assert text == "not run"


def test_numbers_have_fixed_digits():
    assert (percent(0.6209), percent(0.6209, 2), number(0.1149)) == ("62.1", "62.09", "0.115")
    assert (points(0.031), points(-0.004), integer(40000)) == ("+3.1", "-0.4", "40,000")
    assert number(math.nan) == "undefined"


def test_spread_is_the_sample_standard_deviation_and_says_how_many():
    assert over_seeds([0.61, None, 0.63, 0.62]) == Spread(0.62, pytest.approx(0.01), 3)
    assert percent(over_seeds([0.61, 0.63, 0.62])) == "62.0 ± 1.0 (n=3)"


def test_one_seed_has_no_standard_deviation_and_no_seed_is_not_run():
    assert over_seeds([0.5]) == Spread(0.5, None, 1)
    assert percent(over_seeds([0.5])) == "50.0 (n=1)"
    assert over_seeds([None]) is None


def test_a_failed_seed_does_not_vanish_from_the_mean():
    assert percent(over_seeds([0.6, math.nan])) == "undefined (n=2)"


@pytest.mark.parametrize(("seconds", "text"), [(42, "42 s"), (420, "7 min"), (6120, "1 h 42 min"), (183600, "2 d 3 h")])
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text


COLUMNS = [Column("name", "model"), Column("miou", "mIoU", percent, "max"), Column("e", "e", number, "min")]
ROWS = [{"name": "a|b", "miou": 0.5, "e": 0.1}, {"name": "<i>", "miou": 0.6, "e": 0.2}, {"name": ""}]


def test_markdown_marks_the_best_and_leaves_no_cell_blank():
    assert markdown_table(ROWS, COLUMNS) == (
        "| model | mIoU | e |\n"
        "| --- | ---: | ---: |\n"
        "| a\\|b | 50.0 | **0.100** |\n"
        "| <i> | **60.0** | 0.200 |\n"
        "| – | not run | not run |\n"
    )


def test_html_escapes_and_marks():
    table = html_table([*ROWS, {"name": Chip((1, 2, 3), "<car>"), "miou": "absent"}], COLUMNS)
    assert "<td>&lt;i&gt;</td>" in table
    assert '<td class="n best">60.0</td>' in table
    assert table.count('<td class="n missing">not run</td>') == 3
    assert 'background:rgb(1,2,3)"></span>&lt;car&gt;' in table
    assert '<td class="n">absent</td>' in table


def test_columns_default_to_all_keys():
    assert markdown_table([{"a": 1}, {"b_c": None}]).splitlines()[0] == "| a | b c |"
