"""Source and target with different classes, as a command line meets them; nothing is trained here."""

import pathlib
import sys

import pytest

from sde_seg_jax.cli.command_line import parse
from sde_seg_jax.experiment.check import check

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
from class_maps import CITYSCAPES_TO_CAMVID

ADAPTATION = pathlib.Path(__file__).resolve().parents[2] / "configs/paper/ssda.py"


def checked(class_map):
    """Checks the row without mixing, GTA5 to CamVid."""
    flags = (
        f"--config={ADAPTATION}:baseline",
        "--config.data.dataset=camvid",
        f"--config.source_data.class_map={class_map}",
    )
    config = parse(["", *flags], "").config()
    check(config, sources=False)
    return config.source_data.class_map


def test_rules_come_from_the_command_line():
    assert checked(str(CITYSCAPES_TO_CAMVID)) == CITYSCAPES_TO_CAMVID
    assert checked("('by_name',)") == ("by_name",)


@pytest.mark.parametrize(
    ("class_map", "message"),
    [
        ("()", r"only the source has sidewalk, .*; only the target has pavement, .*; set source_data.class_map to"),
        ("('sidewalk -> pavment',)", "the target has no class 'pavment'; did you mean 'pavement'?"),
        ("('sidewlk -> pavement',)", "the source has no class 'sidewlk'; did you mean 'sidewalk'?"),
        ("by_name", "config.source_data.class_map=by_name: expected something like"),
    ],
)
def test_what_is_wrong_with_them_is_told_before_any_work(class_map, message):
    with pytest.raises(ValueError, match=message):
        checked(class_map)
