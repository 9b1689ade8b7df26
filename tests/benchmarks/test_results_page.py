"""Tables of docs/results.md are written from docs/results/*.json, and say what these say."""

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
    assert "| mix | base | +2.50 | -3.85 to +8.85 | 2 of 2 | no gain shown |" in text
    assert "![Differences of every seed](images/results_small_16.png)" in text
    assert "- hardware: 2 cores" in text
    assert "old" not in text
    assert text.endswith("<!-- end -->\nProse.\n")
    assert (written / "results_small_16.png").read_bytes()[1:4] == b"PNG"


def test_writing_again_changes_nothing(written):
    before = (written / "results.md").read_text()
    results_page.write()
    assert (written / "results.md").read_text() == before


def test_the_page_agrees_with_the_committed_results():
    text = results_page.PAGE.read_text(encoding="utf-8")
    assert results_page.page(text) == text
    named = [name for name, _ in results_page.BLOCK.findall(text)]
    assert sorted(named) == sorted(path.stem for path in results_page.FOLDER.glob("*.json"))
