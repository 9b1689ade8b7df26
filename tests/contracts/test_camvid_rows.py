"""Real images with few labels: nothing is chosen on them, so all settings are those of the street scenes."""

import pathlib

import pytest

from sde_seg_jax.experiment.config import UsageError, as_json, load_config, load_module

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
STREETS, CAMVID = str(CONFIGS / "streets_few_labels.py"), str(CONFIGS / "camvid_few_labels.py")
TABLE = load_module(CAMVID)


@pytest.mark.parametrize("row", TABLE.ROWS)
def test_a_row_trains_as_that_of_the_street_scenes(row):
    ours, theirs = (as_json(load_config(path, f"{row},seed=3")) for path in (CAMVID, STREETS))
    for key in ("task", "optim", "schedule", "train", "losses", "seed"):
        assert ours[key] == theirs[key], key
    for key in ("encoder", "width", "transfer", "dilate"):
        assert ours["model"][key] == theirs["model"][key], key
    assert ours["data"]["batch_size"] == theirs["data"]["batch_size"]


def test_labels_are_a_thirtieth_and_a_tenth_of_the_training_images():
    assert [round(TABLE.TRAIN / labels) for labels in TABLE.LABELS] == [31, 10]
    assert load_config(CAMVID, "baseline,labels=37").data.labels == 37
    with pytest.raises(UsageError, match="there are 367 training images"):
        load_config(CAMVID, "baseline,labels=368")
