"""--config.STAGE.section.key is for one stage of a pipeline."""

import pathlib

import pytest

from sde_seg_jax.experiment.config import ConfigFile, UsageError
from sde_seg_jax.experiment.pipeline import of_stage

OWN = str(pathlib.Path(__file__).resolve().parents[1] / "tiny" / "own.py")


def test_a_value_of_a_stage_counts_there_alone_and_before_that_of_all():
    file = ConfigFile(OWN, "quick", {"train.steps": "7", "quick_depth.train.steps": "5", "seed": "3"})
    steps = {stage: of_stage(file, stage).config(stage).train.steps for stage in ("quick_depth", "quick_supervised")}
    assert steps == {"quick_depth": 5, "quick_supervised": 7}
    assert of_stage(file, "").config().train.steps == 7
    assert {of_stage(file, stage).config(stage).seed for stage in ("quick_depth", "quick_select")} == {3}


def test_keys_that_one_stage_alone_has_can_be_set():
    file = ConfigFile(OWN, "quick", {"quick_select.select.steps": "(2,)"})
    assert of_stage(file, "quick_select").config("quick_select").select.steps == (2,)
    assert "select" not in of_stage(file, "quick_depth").config("quick_depth")


def test_a_stage_that_is_not_there_is_an_unknown_key():
    file = ConfigFile(OWN, "quick", {"quick_depht.train.steps": "5"})
    with pytest.raises(UsageError, match=r"config.quick_depht"):
        of_stage(file, "").config()
