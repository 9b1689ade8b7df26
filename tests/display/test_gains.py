"""Paired differences, their interval, and what it allows to say."""

import json
import math
import statistics

import pytest

from sde_seg_jax.display.gains import interval, paired
from sde_seg_jax.display.result_json import as_json, from_json
from sde_seg_jax.display.result_page import write_html
from sde_seg_jax.display.result_table import Result, ResultTable, gains
from sde_seg_jax.display.result_text import as_markdown


def runs(row, finals, teachers=None):
    teachers = teachers or [None] * len(finals)
    scored = enumerate(zip(finals, teachers, strict=True))
    return [Result(row, 16, seed, f"runs/{row}_{seed}", final=f, teacher=t) for seed, (f, t) in scored]


def gain(mine, theirs):
    return paired("a", "b", 16, "student", dict(enumerate(mine)), dict(enumerate(theirs)))


def test_the_interval_is_students():
    values = [1.0, 2.0, 4.0, 4.0, 5.0]
    half = 2.7764451 * statistics.stdev(values) / math.sqrt(5)  # t(0.975; 4) of any table
    assert interval(values) == (pytest.approx(3.2 - half), pytest.approx(3.2 + half))
    assert interval([0.0, 1.0]) == (pytest.approx(0.5 - 6.3531024), pytest.approx(0.5 + 6.3531024))  # 12.7062 / 2
    assert interval([1.0]) is None


def test_what_seeds_share_cancels_out():
    found = gain([0.31, 0.412, 0.22], [0.30, 0.40, 0.21])  # each far from the others, all a little ahead
    assert found.mean == pytest.approx(0.032 / 3)
    assert (found.verdict, found.won, found.n) == ("gain", 3, 3)


@pytest.mark.parametrize(
    ("mine", "verdict"),
    [
        ([0.29, 0.39, 0.205], "loss"),
        ([0.31, 0.39, 0.22], "no gain shown"),
        ([0.31], "one seed: no interval"),
        ([0.31, 0.41], "two seeds: too few to say"),  # equal by chance: the interval is a point above 0
    ],
)
def test_verdicts(mine, verdict):
    assert gain(mine, [0.30, 0.40, 0.21]).verdict == verdict


def test_seeds_that_one_row_lacks_do_not_count_and_an_undefined_score_does_not_vanish():
    assert gain([0.3, 0.3, 0.3], [0.2]).n == 1
    assert gain([], [0.2]) is None
    assert gain([0.3, math.nan], [0.2, 0.2]).verdict == "undefined"


TABLE = ResultTable(
    "t",
    runs("base", [0.30, 0.40, 0.35])
    + runs("mix", [0.32, 0.42, 0.37], [0.34, 0.45, 0.395])
    + runs("all", [0.31, 0.43, 0.37], [0.33, 0.45, 0.39]),
    against={"mix": "base", "all": "mix"},
    split="test",
)


def test_a_teacher_is_compared_with_the_partners_teacher_or_with_its_student():
    found = {(g.row, g.network): g.mean for g in gains(TABLE, 16)}
    assert found == {
        ("mix", "student"): pytest.approx(0.02),
        ("mix", "teacher"): pytest.approx(0.045),
        ("all", "student"): pytest.approx(0.0),
        ("all", "teacher"): pytest.approx(-0.005),
    }


def test_the_table_shows_them_and_says_which_split(tmp_path):
    text = as_markdown(TABLE)
    assert "| mix | base | +2.00 | +2.00 to +2.00 | 3 of 3 | gain |" in text
    assert "split test, last checkpoint" in text
    assert "best" not in text.splitlines()[4]  # none was chosen on this split
    found = json.loads(json.dumps(as_json(TABLE)))
    assert found["split"] == "test"
    assert [(g["row"], g["network"], g["won"], g["n"]) for g in found["gains"]][:2] == [
        ("mix", "student", 3, 3),
        ("mix", "teacher", 3, 3),
    ]
    assert as_markdown(from_json(found)) == text
    page = write_html(TABLE, tmp_path / "table.html").read_text()
    assert "mix against base: gain" in page
