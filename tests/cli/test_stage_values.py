"""--config.STAGE.section.key is for one stage of a pipeline."""

import pathlib

from sde_seg_jax.experiment.config import ConfigFile

OWN = str(pathlib.Path(__file__).resolve().parents[1] / "tiny" / "own.py")


def test_a_value_of_a_stage_counts_there_alone_and_before_that_of_all():
    file = ConfigFile(OWN, "quick", {"train.steps": "7", "quick_depth.train.steps": "5", "seed": "3"})
    steps = {stage: file.config(stage).train.steps for stage in ("quick_depth", "quick_supervised")}
    assert steps == {"quick_depth": 5, "quick_supervised": 7}
    assert file.config().train.steps == 7
    assert {file.config(stage).seed for stage in ("quick_depth", "quick_select")} == {3}


def test_keys_that_one_stage_alone_has_can_be_set():
    file = ConfigFile(OWN, "quick", {"quick_select.select.steps": "(2,)"})
    assert file.config("quick_select").select.steps == (2,)
    assert "select" not in file.config("quick_depth")


def test_a_stage_that_is_not_there_is_an_unknown_key(refused, tmp_path):
    where = (f"--config.data.raw_dir={tmp_path}", f"--workdir={tmp_path}")
    assert "config.quick_depht" in refused("pipeline", f"--config={OWN}:quick", *where, "--config.quick_depht.seed=5")
    line = refused("pipeline", f"--config={OWN}:quick", *where, "--config.quick_depth.train.stepz=5")
    assert "config.train.stepz" in line
    assert "config.quick_depth" in refused(
        "train", f"--config={OWN}:quick_depth", *where, "--config.quick_depth.seed=5"
    )


def test_the_command_line_takes_a_value_of_a_stage(command, tmp_path):
    status, _, err = command("pipeline", f"--config={OWN}:quick", "--config.quick_select.select.steps=(2,)")
    assert status == 2
    assert "needs --config=FILE and --workdir=DIR" in err
