"""Options that one encoder or decoder has: as flags, and what is said of those that cannot be."""

import pytest

from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import ConfigFile, UsageError

VIT = ("--config.model.encoder=dinov2_vits14", "--config.model.width=4", "--config.model.decoder=dpt")


def test_a_flag_sets_a_key_that_the_configuration_need_not_have():
    flags = {"blocks": "4", "layers": "(0, 1, 2, 3)", "implementation": "xla", "drop_path": "0.1"}
    overrides = {f"model.encoder_options.{key}": text for key, text in flags.items()}
    options = ConfigFile("quickstart", "baseline", overrides).config().model.encoder_options
    assert options.to_dict() == {"blocks": 4, "layers": (0, 1, 2, 3), "implementation": "xla", "drop_path": 0.1}


def test_other_sections_stay_closed():
    with pytest.raises(UsageError, match="unknown key"):
        ConfigFile("quickstart", "baseline", {"model.encoder_option.blocks": "4"}).config()


def test_options_of_a_data_set_that_the_configuration_does_not_list_are_flags():
    overrides = {"dataset.min_motion": "0", "data.dataset": "folder", "dataset.val_clips": "('a',)"}
    assert ConfigFile("base", "", overrides).config().dataset.to_dict() == {"min_motion": 0, "val_clips": ("a",)}
    with pytest.raises(UsageError, match=r"unknown key 'config.dataset.min_moton': did you mean 'min_motion'\?"):
        ConfigFile("base", "", {**overrides, "dataset.min_moton": "0"}).config()
    with pytest.raises(UsageError, match=r"unknown key 'config.dataset.fps': known: "):
        ConfigFile("base", "", {"data.dataset": "nosuch", "dataset.fps": "1"}).config()


def test_terms_rates_and_sources_that_the_configuration_lacks_are_flags():
    flags = {"losses.feature_distance": "0.01", "losses.photometric": "{'weight': 2.0}", "optim.module_rates.pose": "0"}
    flags |= {"sources.dinov2": "hf://facebook/dinov2-small/model.safetensors", "seed": "3"}
    config = ConfigFile("streets_few_labels", "depth", flags).config()
    assert config.losses.to_dict() == {"photometric": {"weight": 2.0}, "smoothness": 1e-3, "feature_distance": 0.01}
    assert config.optim.module_rates.to_dict() == {"pose": 0}
    assert config.sources.dinov2 == "hf://facebook/dinov2-small/model.safetensors"
    assert config.seed == 3


def test_another_schedule_begins_with_its_own_options():
    flags = {"schedule.power": "0.5", "schedule.name": "poly"}
    config = ConfigFile("streets_few_labels", "depth", flags).config()
    assert config.schedule.to_dict() == {"name": "poly", "power": 0.5}
    check(config, sources=False)
    same = ConfigFile("streets_few_labels", "depth", {"schedule.name": "step", "schedule.gamma": "0.5"}).config()
    assert same.schedule.to_dict() == {"name": "step", "milestones": (0.75,), "gamma": 0.5}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sources.imagnet", r"unknown key 'config.sources.imagnet': did you mean 'imagenet'\?"),
        ("losses.fotometric", "unknown loss term 'fotometric'; did you mean 'photometric'"),
        ("optim.module_rates.encodr", r"optim.module_rates: the network has no 'encodr'; did you mean 'encoder'\?"),
        ("schedule.powr", r"unknown key 'config.schedule.powr': did you mean 'power'\?"),
        ("train.steps.more", "unknown key 'config.train.steps.more'"),
    ],
)
def test_a_slip_of_the_keyboard_is_no_new_key(key, message):
    with pytest.raises(ValueError, match=message):
        check(ConfigFile("streets_depth", "", {key: "1"}).config(), sources=False)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--config.model.encoder_options.drop_path=0.1",),
            "encoder 'resnet18' has no option 'drop_path'; it has none",
        ),
        ((*VIT, "--config.model.encoder_options.drop=0.1"), "has no option 'drop'; did you mean 'drop_path'?"),
        (
            VIT,
            "64x64 does not fit the network's patch size 14 (multiples of it from 14 on): height 64; next valid: 56 or",
        ),
        (("--config.model.decoder=dtp",), "unknown decoder 'dtp'; did you mean 'dpt'? known: deeplab, dpt"),
        (
            (*VIT, "--config.model.decoder_options.features=0.5"),
            "decoder_options.features=0.5: expected a whole number",
        ),
        (("--config.optim.layer_decay=0.5",), "layer_decay=0.5 needs an encoder of numbered blocks"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(refused, tiny, tmp_path, flags, message):
    assert message in refused("train", tiny("supervised"), *flags, f"--workdir={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()
