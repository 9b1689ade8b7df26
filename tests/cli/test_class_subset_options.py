import pathlib

import pytest

from sde_seg_jax.cli.command_line import parse
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import UsageError, load_config, override

BASE = str(pathlib.Path(__file__).resolve().parents[2] / "configs/base.py")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("eval", "classes", 11, "there is no subset of 11 classes; known: 19, 16, 13"),
        ("eval", "classes", (16, 11), "there is no subset of 11 classes; known: 19, 16, 13"),
        ("data", "label_draw", "numpy", "unknown draw of labels 'numpy'; known: ours, published"),
    ],
)
def test_a_value_that_does_not_exist_is_found_before_any_work(section, key, value, message):
    config = load_config(BASE)
    with config.ignore_type():
        config[section][key] = value
    with pytest.raises(ValueError, match=message):
        check(config)


def test_a_subset_of_classes_needs_cityscapes_classes():
    config = load_config(BASE)
    config.eval.classes = 16
    check(config)
    config.data.dataset = "camvid"
    with pytest.raises(ValueError, match="label space 'camvid' has no subset of 16 classes"):
        check(config)


@pytest.mark.parametrize("before", ["0", "16", "()", "(16,13)"])
@pytest.mark.parametrize(("text", "value"), [("16", 16), ("0", 0), ("(16,13)", (16, 13)), ("[13]", (13,)), ("()", ())])
def test_the_command_line_names_one_subset_or_several(before, text, value):
    arguments = parse(["", f"--config={BASE}", f"--config.eval.classes={text}"], "")
    found = override(override(load_config(BASE), {"eval.classes": before}), arguments.overrides)
    assert found.eval.classes == value
    check(found)


@pytest.mark.parametrize("text", ["16.0", "('16',)", "true", "all"])
def test_what_is_no_number_of_classes_is_refused(text):
    with pytest.raises(UsageError, match=r"config.eval.classes=.*: expected something like 0"):
        parse(["", f"--config={BASE}", f"--config.eval.classes={text}"], "")


def test_other_keys_still_hold_either_a_value_or_a_tuple():
    for flag in ("data.labels=(1,2)", "data.size=64"):
        with pytest.raises(UsageError, match="expected something like"):
            parse(["", f"--config={BASE}", f"--config.{flag}"], "")
