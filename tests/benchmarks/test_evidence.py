"""make evidence tells what is left of every table, and keeps what is finished where the page is written from."""

import json

import evidence
import pytest


def test_a_dry_run_tells_what_is_left_and_touches_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    assert evidence.main(["--dry_run", "--only=contributions", "--seeds=42", f"--runs={runs}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("contributions: ")
    assert "runs and stages left, not known before the first run" in out
    assert not runs.exists()


def test_the_hardware_names_processor_and_vector_instructions():
    assert " cores" in evidence.hardware()


def test_an_unknown_table_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        evidence.main(["--only=contribution", "--dry_run"])
    assert "contributions" in capsys.readouterr().err


def test_a_part_of_a_table_shares_the_folder_of_the_whole_and_shows_its_own_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence.results_page, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(evidence.results_page, "write", lambda: None)
    whole, part = (evidence.plan_of(name, tmp_path, "1") for name in ("few_labels", "label_counts"))
    assert part.workdir == whole.workdir == tmp_path / "few_labels"
    same = part.runs["baseline", 16, 1], whole.runs["baseline", 16, 1]
    assert same[0].config == same[1].config
    evidence.keep("label_counts", part, {})
    kept = json.loads((tmp_path / "results" / "label_counts.json").read_text())
    assert {(run["row"], run["labels"]) for run in kept["runs"]} >= {("baseline", 8), ("classmix", 160)}
    assert {run["row"] for run in kept["runs"]} == {"baseline", "classmix"}
    assert kept["against"] == {"classmix": "baseline"}
    assert kept["curves"] == []
    assert not (tmp_path / "few_labels").exists()
