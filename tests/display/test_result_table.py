"""A table of results: means and spreads over seeds, what is missing, what failed."""

import json
import math

import pytest

from sde_seg_jax.display.result_json import as_json, from_json
from sde_seg_jax.display.result_page import write_html
from sde_seg_jax.display.result_plot import Points, plot
from sde_seg_jax.display.result_table import Result, ResultTable, lines, score
from sde_seg_jax.display.result_text import as_markdown, as_text
from sde_seg_jax.display.tables import Spread, text_table


def run(row, seed, final=None, best=None, labels=372, **more):
    return Result(row, labels, seed, f"runs/{row}_{labels}_s{seed}", steps=1000, final=final, best=best, **more)


def cells(*results, **more):
    """The cells of the first row, by column."""
    table = ResultTable("t", results, **more)
    return lines(table, results[0].labels)[0]


def test_mean_and_sample_standard_deviation_over_seeds_in_percent():
    table = ResultTable("t", [run("a", 42, 0.61, 0.62), run("a", 43, 0.63, 0.64), run("a", 44, 0.62, 0.63)])
    assert score(table.results, "final") == Spread(pytest.approx(0.62), pytest.approx(0.01), 3)
    assert "| a | **62.00 ± 1.00 (n=3)** |" not in as_markdown(table)  # bold needs something to be better than
    assert "| a | 62.00 ± 1.00 (n=3) | 63.00 ± 1.00 (n=3) | 42, 43, 44 |" in as_markdown(table)


def test_one_seed_has_no_spread():
    assert "| a | 61.23 (n=1) | 62.00 (n=1) | 42 |" in as_markdown(ResultTable("t", [run("a", 42, 0.61234, 0.62)]))


def test_what_was_not_run_says_so_and_leaves_no_cell_blank():
    text = as_markdown(ResultTable("t", [run("a", 42)], paper={("b", 372): "1"}, source="as quoted somewhere"))
    assert "| a | not quoted | not run | not run | – |" in text


def test_unfinished_runs_do_not_count_and_say_how_far_they_are():
    found = cells(run("a", 42, 0.6, 0.6), run("a", 43, step=400))
    assert found["final"] == Spread(0.6, None, 1)
    assert found["seeds"] == "42; 43 at step 400 of 1,000"


def test_a_failed_seed_is_named_beside_the_mean_of_the_others():
    found = cells(run("a", 42, 0.6, 0.6), run("a", 43, step=400, failed="the loss is nan at step 7: lower it"))
    assert found["final"] == Spread(0.6, None, 1)
    assert found["seeds"] == "42; 43 failed"


def test_a_row_whose_runs_all_failed_says_why_and_the_notes_name_the_folder():
    table = ResultTable("t", [run("a", 42, failed="the loss is nan at step 7: lower it")])
    assert "| a | failed: the loss is nan at step 7 | failed: the loss is nan at step 7 | 42 failed |" in as_markdown(
        table
    )
    assert "failed: runs/a_372_s42: the loss is nan at step 7: lower it" in as_text(table)


def test_an_undefined_score_does_not_vanish_from_the_mean():
    assert "undefined (n=2)" in as_markdown(ResultTable("t", [run("a", 42, 0.6, 0.6), run("a", 43, math.nan)]))


def test_without_validations_the_best_is_not_recorded():
    assert cells(run("a", 42, 0.6))["best"] == "not recorded"


def test_the_best_row_of_each_label_count_is_bold_and_the_paper_stands_beside():
    results = [run("a", 42, 0.5, 0.6), run("b", 42, 0.55, 0.58), run("a", 42, 0.4, 0.4, labels=100)]
    text = as_markdown(ResultTable("t", results, paper={("b", 372): "63.16 ± 0.89"}, source="as quoted in a survey"))
    first, second = text.split("## 100 labels")
    assert "| b | 63.16 ± 0.89 | **55.00 (n=1)** | 58.00 (n=1) | 42 |" in first
    assert "| a | not quoted | 50.00 (n=1) | **60.00 (n=1)** | 42 |" in first
    assert "**" not in second
    assert "| b | not quoted | not run | not run | – |" in second
    assert "Paper: as quoted in a survey." in text


def test_the_teacher_stands_in_a_footnote_only_where_there_is_one():
    table = ResultTable("t", [run("a", 42, 0.5, 0.5), run("b", 42, 0.6, 0.6, teacher=0.61)])
    assert "Teacher, final: b, 372 labels: 61.00 (n=1)." in as_text(table)
    assert "Teacher" not in as_text(ResultTable("t", table.results[:1]))


def test_json_holds_every_number_with_its_folder_and_no_nan():
    results = [run("a", 42, 0.6, 0.7, best_step=500, commits=("abc",), seconds=9.0), run("a", 43, math.nan)]
    found = json.loads(json.dumps(as_json(ResultTable("t", results, paper={("a", 372): "61.0"})), allow_nan=False))
    assert found["summary"] == [
        {
            "row": "a",
            "labels": 372,
            "paper": "61.0",
            "final": {"mean": None, "std": None, "n": 2},
            "best": {"mean": 0.7, "std": None, "n": 1},
            "teacher": None,
        }
    ]
    first = found["runs"][0]
    assert (first["folder"], first["seed"], first["final"], first["best_step"]) == ("runs/a_372_s42", 42, 0.6, 500)
    assert (first["commits"], found["runs"][1]["final"]) == (["abc"], None)


def test_the_page_is_self_contained_and_escaped(tmp_path):
    results = [run("<a>", 42, 0.6, 0.7), run("$b", 42, math.nan), run("c", 42)]
    path = write_html(ResultTable("t & u", results, paper={("c", 372): "61.0 ± 1"}, source="s"), tmp_path / "t.html")
    page = path.read_text()
    assert "<td>&lt;a&gt;</td>" in page
    assert "t &amp; u" in page
    assert page.count("data:image/png;base64,") == 1
    assert "finished runs: 2 of 3" in page
    assert "http" not in page


@pytest.mark.parametrize("panels", [{}, {"372 labels": {"a": Points([]), "$b": Points([1.0, math.nan], 2.0)}}])
def test_the_plot_is_a_png_whatever_is_missing(panels):
    assert plot(panels).startswith(b"\x89PNG")


def test_text_for_a_terminal_is_aligned():
    rows = [{"row": "long name", "x": 1.5}, {"row": "b", "x": None}]
    assert text_table(rows) == "row        x\nlong name  1.500\nb          not run\n"
    text = as_text(ResultTable("t", [run("a", 42, 0.6, 0.7)]))
    assert "row  ours, final mIoU %  ours, best mIoU %  seeds\na           60.00 (n=1)        70.00 (n=1)  42\n" in text


def test_the_json_gives_the_table_back():
    runs = [
        run("a", 42, 0.6, 0.61, teacher=0.62, step=1000),
        run("a", 43, math.nan, step=1000),
        run("b", 42, step=400, failed="the loss is nan at step 7: lower it"),
    ]
    table = ResultTable("t", runs, paper={("b", 372): "1"}, source="as quoted", notes=["left out: x"], facts={"f": 1})
    again = from_json(json.loads(json.dumps(as_json(table))))
    assert as_markdown(again) == as_markdown(table)
    assert "undefined (n=2)" in as_markdown(again)
