"""Which round of labelling a pipeline goes on with: one number for all stages."""

import json

import pytest

from sde_seg_jax.experiment import raw_changes, rounds
from sde_seg_jax.experiment.config import load_config

STAGES = ("quick_supervised", "quick_depthmix")


@pytest.fixture
def names(tmp_path, monkeypatch):
    """names(state, runs) -> the runs of a pipeline whose raw files have that state; runs: {name: state}."""

    def call(state, runs):
        for name, then in runs.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "data.json").write_text(json.dumps({"raw": {"labels": {"count": 1, "digest": then}}}))
        monkeypatch.setattr(raw_changes, "state_now", lambda config: {"labels": {"count": 1, "digest": state}})
        monkeypatch.setattr(raw_changes, "since_prepared", lambda config: {})
        configs = {stage: load_config("folder", stage) for stage in ("quick_depth", *STAGES)}
        first, *found = rounds.open_rounds(configs, tmp_path)
        assert first == "quick_depth"
        return found

    return call


def of(number):
    return [f"{stage}_{number}" for stage in STAGES]


def test_the_first_round_has_the_stages_names(names):
    assert names("a", {}) == list(STAGES)


def test_a_round_that_was_interrupted_goes_on(names):
    assert names("b", dict.fromkeys(STAGES, "a") | {"quick_supervised_2": "b"}) == of(2)


def test_labels_that_change_while_a_round_is_interrupted_begin_another_for_all(names):
    assert names("c", dict.fromkeys(STAGES, "a") | {"quick_supervised_2": "b"}) == of(3)


def test_a_run_that_was_deleted_leaves_no_gap_to_be_filled_with_other_labels(names):
    assert names("b", {"quick_depthmix": "a"} | dict.fromkeys(of(2), "b")) == of(2)


def test_labels_as_they_were_go_on_with_their_round(names):
    assert names("a", dict.fromkeys(STAGES, "a") | dict.fromkeys(of(2), "b")) == list(STAGES)
