"""Few labels and a source: the rows are those of few labels, and what joins them."""

import pathlib

import pytest

from sde_seg_jax.experiment.config import as_json, load_config, load_module
from sde_seg_jax.experiment.table.file import references

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
FEW, ADAPT = str(CONFIGS / "streets_few_labels.py"), str(CONFIGS / "streets_few_adaptation.py")
TABLE = load_module(ADAPT)


@pytest.mark.parametrize("row", TABLE.FRAME)
def test_the_frame_is_the_same_runs_as_in_the_table_of_few_labels(row):
    assert as_json(load_config(ADAPT, f"{row},seed=3")) == as_json(load_config(FEW, f"{row},seed=3"))


@pytest.mark.parametrize("row", sorted(set(TABLE.ROWS) - set(TABLE.FRAME)))
def test_a_way_to_join_the_source_trains_as_the_baseline_does(row):
    config, baseline = load_config(ADAPT, f"{row},seed=3"), load_config(FEW, "baseline,seed=3")
    for key in ("data", "dataset", "optim", "schedule", "train"):
        assert as_json(config)[key] == as_json(baseline)[key], key
    assert config.source_dataset.domain == "source"
    assert set(references(config)) <= set(TABLE.STAGES)


def test_rows_without_labels_of_the_target_read_none():
    for row in ("source_only", "unsupervised"):
        task = load_config(ADAPT, row).task
        assert (task.target, task.kept, task.prior) == (0.0, "unlabeled", 0.0)


def test_the_depth_of_the_source_is_learnt_as_that_of_the_target_on_other_data():
    stages = {name: load_config(*TABLE.STAGES[name].split(":")) for name in ("depth", "depth_source")}
    source, target = (as_json(stages[name]) for name in ("depth_source", "depth"))
    assert source["dataset"]["domain"] == "source"
    assert target["dataset"].get("domain") == "target"
    assert {key for key in target if source[key] != target[key]} == {"name", "data", "dataset"}
