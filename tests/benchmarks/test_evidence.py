"""make evidence tells what is left of every table, and keeps what is finished where the page is written from."""

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
