"""A video with fewer frames than a pipeline would choose: all are put in order, and the next command says so."""

import pathlib
import shlex

import pytest
from PIL import Image

from sde_seg_jax.data.street_scenes.clip import render_frame
from sde_seg_jax.experiment.config import ConfigFile
from sde_seg_jax.experiment.next_labels import next_step
from sde_seg_jax.experiment.pipeline import limit_selection
from sde_seg_jax.reporter import Collected

OWN = str(pathlib.Path(__file__).resolve().parents[1] / "tiny" / "own.py")


@pytest.fixture
def file(tmp_path):
    """The pipeline of eight frames."""
    (tmp_path / "raw" / "drive").mkdir(parents=True)
    for tick in range(8):
        Image.fromarray(render_frame("target", 0, 0, tick, (64, 64))[0]).save(tmp_path / f"raw/drive/{tick}.png")
    places = {"data.raw_dir": str(tmp_path / "raw"), "data.prepared_dir": str(tmp_path / "prepared")}
    return ConfigFile(OWN, "quick", places)


def stages(file, steps, reporter):
    config = file.config("quick_select")
    config.select.steps = steps
    return {"quick_depth": file.config("quick_depth"), "quick_select": limit_selection(config, "chosen", reporter)}


def test_a_selection_asks_for_no_more_frames_than_there_are(file, tmp_path):
    told = Collected()
    configs = stages(file, (2, 3, 50), told)
    *first, available = configs["quick_select"].select.steps
    assert first == [2, 3]
    assert 3 < available < 8  # without those of validation
    assert f"chosen: there are {available} frames to choose from, not 50: all are put in order" in told.lines
    shown = next_step(file, tmp_path, configs)[1].strip()
    flags = dict(flag[2:].partition("=")[::2] for flag in shlex.split(shown)[3:])
    assert flags["config.select.steps"] == f"(2,3,{available})"
    again = ConfigFile(OWN, "quick_select", {"select.steps": flags["config.select.steps"]}).config()
    assert again.select.steps == configs["quick_select"].select.steps


def test_a_long_video_keeps_the_numbers_of_its_configuration(file, tmp_path):
    told = Collected()
    configs = stages(file, (2, 3), told)
    assert configs["quick_select"].select.steps == (2, 3)
    assert not any("to choose from" in line for line in told.lines)
    (shown,) = [line for line in next_step(file, tmp_path, configs) if "cli.select" in line]
    assert "select.steps" not in shown
    assert "--export=cvat,label_studio,folder" in shown
