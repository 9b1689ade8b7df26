"""Tables of docs/record/results.md are written from docs/results/*.json, and say what these say."""

import json

import pytest
import results_page

from sde_seg_jax.display.result_json import as_json
from sde_seg_jax.display.result_table import Result, ResultTable

TABLE = ResultTable(
    "Small",
    [
        Result(row, 16, seed, f"runs/{row}_{seed}", 9, 9, final=score)
        for row, seed, score in (("base", 1, 0.3), ("base", 2, 0.32), ("mix", 1, 0.33), ("mix", 2, 0.34))
    ],
    against={"mix": "base"},
    split="test",
    facts={"command": "python -m it", "hardware": "2 cores"},
)
TEXT = "# Results\n\n<!-- results small -->\nold\n<!-- end -->\nProse.\n"


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(results_page, "FOLDER", tmp_path)
    monkeypatch.setattr(results_page, "IMAGES", tmp_path)
    monkeypatch.setattr(results_page, "PAGE", tmp_path / "results.md")
    (tmp_path / "small.json").write_text(json.dumps(as_json(TABLE)))
    (tmp_path / "results.md").write_text(TEXT)
    results_page.write()
    return tmp_path


def test_a_block_holds_table_differences_figure_and_facts(written):
    text = (written / "results.md").read_text()
    assert text.startswith("# Results\n\n<!-- results small -->\n| row |")
    assert "| mix | base | +2.50 | -3.85 to +8.85 | 2 of 2 | two seeds: too few to say |" in text
    assert "![Differences of every seed](../images/results_small_16.png)" in text
    assert "- hardware: 2 cores" in text
    assert "old" not in text
    assert text.endswith("<!-- end -->\nProse.\n")
    assert (written / "results_small_16.png").read_bytes()[1:4] == b"PNG"


def test_the_figure_shows_validations_by_steps_and_finished_runs_by_labels(written):
    runs = [{"row": row, "labels": 8, "final": final} for row, final in (("baseline", 0.3), ("baseline", None))]
    runs += [{"row": "baseline", "labels": 16, "final": 0.4}, {"row": "pseudo", "labels": 16, "final": 0.5}]
    curve = {"row": "classmix", "labels": 16, "seed": 1, "validations": {"500": 0.2, "1000": 0.25}}
    (written / "label_counts.json").write_text(json.dumps({"runs": runs, "trained": []}))
    (written / "few_labels.json").write_text(json.dumps({"runs": runs, "trained": [curve, {**curve, "seed": 2}]}))
    assert results_page.when_it_gains() == {
        results_page.STEPS: {"with mixing and pseudo labels": {500: [0.2, 0.2], 1000: [0.25, 0.25]}},
        results_page.COUNTS: {"labels alone": {8: [0.3], 16: [0.4]}},
    }
    results_page.write()
    assert (written / results_page.GAINS).read_bytes()[1:4] == b"PNG"


def test_writing_again_changes_nothing(written):
    before = (written / "results.md").read_text()
    results_page.write()
    assert (written / "results.md").read_text() == before


def test_the_page_agrees_with_the_committed_results():
    text = results_page.PAGE.read_text(encoding="utf-8")
    assert results_page.page(text) == text
    named = [name for name, _ in results_page.BLOCK.findall(text)]
    assert sorted(named) == sorted(path.stem for path in results_page.FOLDER.glob("*.json"))
