"""A depth network that a run needs is looked for before data are prepared."""

import pytest

from sde_seg_jax.experiment import check as checking
from sde_seg_jax.experiment.config import UsageError, load_config, override


@pytest.fixture
def config(tmp_path):
    """config(depth_checkpoint, **overrides) of ClassMix's sibling that mixes by depth, on a tiny network."""

    def call(place, **more):
        found = load_config("tests/tiny/config.py", "semi_supervised")
        keys = {"model.init": "", "model.transfer": "()", "task.depth_checkpoint": str(place), **more}
        return override(found, keys)

    return call


def test_a_missing_one_is_named_with_its_key(config, tmp_path):
    with pytest.raises(UsageError, match=r"config.task.depth_checkpoint: no checkpoint in .*none: a folder that"):
        checking.check_depth_networks(config(tmp_path / "none"))


def test_one_without_depth_is_refused(config, monkeypatch):
    network = checking.build_network(load_config("tests/tiny/config.py", "supervised"))
    monkeypatch.setattr(checking, "read", lambda place: place)
    monkeypatch.setattr(checking, "network_of", lambda stored: (None, network))
    with pytest.raises(UsageError, match=r"config.task.depth_checkpoint=seg holds no depth network"):
        checking.check_depth_networks(config("seg"))


def test_a_stage_may_come_yet_and_a_cache_needs_none(config, tmp_path):
    assert checking.check_depth_networks(config("@depth")) is None  # nothing raised
    assert checking.check_depth_networks(config(tmp_path / "none", **{"data.depth_cache": "cached"})) is None
