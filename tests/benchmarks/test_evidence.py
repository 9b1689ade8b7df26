"""make evidence tells what is left of every table, and keeps what is finished where the page is written from."""

import json

import evidence
import kept_results
import pytest

from sde_seg_jax.display.result_json import as_json
from sde_seg_jax.display.result_table import Result, ResultTable


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder of JSON files, which here is empty; the page is not written."""
    folder = tmp_path / "results"
    monkeypatch.setattr(evidence.results_page, "FOLDER", folder)
    monkeypatch.setattr(evidence.results_page, "write", lambda: None)
    return folder


def test_a_dry_run_tells_what_is_left_and_touches_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    assert evidence.main(["--dry_run", "--only=contributions", "--seeds=42", f"--runs={runs}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("contributions: ")
    assert "runs and stages left, not known before the first run" in out
    assert not runs.exists()


def test_the_table_of_real_images_needs_their_folder(tmp_path, capsys, monkeypatch, results):
    monkeypatch.chdir(tmp_path)
    asked = ["--dry_run", "--only=camvid_few_labels", "--seeds=1", f"--runs={tmp_path / 'runs'}"]
    assert evidence.main(asked) == 0
    assert capsys.readouterr().out == "camvid_few_labels: left out; --camvid=DIR names CamVid's files (docs/data.md)\n"
    assert evidence.main([*asked, "--camvid=CamVid"]) == 0
    assert "8 of 8 runs and stages left" in capsys.readouterr().out


def test_the_hardware_names_processor_and_vector_instructions():
    assert " cores" in evidence.hardware()


def test_an_unknown_table_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        evidence.main(["--only=contribution", "--dry_run"])
    assert "contributions" in capsys.readouterr().err


def test_a_part_of_a_table_shares_the_folder_of_the_whole_and_shows_its_own_rows(tmp_path, results):
    whole, part = (evidence.plan_of(name, tmp_path, "1") for name in ("few_labels", "label_counts"))
    assert part.workdir == whole.workdir == tmp_path / "few_labels"
    same = part.runs["baseline", 16, 1], whole.runs["baseline", 16, 1]
    assert same[0].config == same[1].config
    evidence.keep("label_counts", part, {})
    kept = json.loads((results / "label_counts.json").read_text())
    assert {(run["row"], run["labels"]) for run in kept["runs"]} >= {("baseline", 8), ("classmix", 160)}
    assert {run["row"] for run in kept["runs"]} == {"baseline", "classmix"}
    assert kept["against"] == {"classmix": "baseline"}
    assert kept["trained"] == []
    assert not (tmp_path / "few_labels").exists()


def test_runs_of_another_machine_are_not_run_again_and_stay_in_the_table(tmp_path, results):
    first = evidence.plan_of("few_labels", tmp_path, "1")
    runs = [
        Result("baseline", 16, seed, f"elsewhere/{seed}", 1500, 1500, final=score)
        for seed, score in ((1, 0.5), (2, 0.6))
    ]
    line = {"row": "baseline", "labels": 16, "validations": {"500": 0.4}}
    digest = kept_results.digest(first.runs["baseline", 16, 1].config)
    trained = [{**line, "seed": 1, "config": digest}, {**line, "seed": 2, "config": "of other settings"}]
    results.mkdir()
    found = as_json(ResultTable("Kept", runs)) | {"trained": trained}
    (results / "few_labels.json").write_text(json.dumps(found))
    plan = evidence.plan_of("few_labels", tmp_path, "1,2")
    assert ("baseline", 16, 1) not in plan.runs
    assert ("baseline", 16, 2) in plan.runs
    evidence.keep("few_labels", plan, {})
    again = json.loads((results / "few_labels.json").read_text())
    scores = {run["seed"]: run["final"] for run in again["runs"] if run["row"] == "baseline"}
    assert scores == {1: 0.5, 2: None, 3: None, 4: None, 5: None}
    assert again["trained"] == trained[:1]

    other = evidence.plan_of("few_adaptation", tmp_path, "1,2")  # has the same baseline, in the same folder
    assert ("baseline", 16, 1) not in other.runs
    assert ("baseline", 16, 2) in other.runs
    evidence.keep("few_adaptation", other, {})
    found = json.loads((results / "few_adaptation.json").read_text())
    assert [run["final"] for run in found["runs"] if (run["row"], run["seed"]) == ("baseline", 1)] == [0.5]
    assert found["trained"] == trained[:1]


def test_a_runs_digest_knows_its_stages_and_not_what_stands_for_missing_keys(tmp_path, results):
    plan = evidence.plan_of("few_labels", tmp_path, "1")
    config, stage = plan.runs["transfer", 16, 1].config, plan.stages["depth"].config
    alone, both = kept_results.digest(config), kept_results.digest(config, stage)
    assert alone != both
    for section, key, value in (("train", "save_every", 7), ("model", "decoder_options", {})):
        with config.unlocked():
            config[section][key] = value
        assert kept_results.digest(config) == alone
    with config.unlocked():
        del config.model["decoder_options"]
    assert kept_results.digest(config) == alone
    config.optim.learning_rate = 0.5
    assert kept_results.digest(config) != alone
