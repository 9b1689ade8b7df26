import pathlib

import pytest

from sde_seg_jax.cli.check import check
from sde_seg_jax.cli.config import load_config

BASE = str(pathlib.Path(__file__).resolve().parents[2] / "configs/base.py")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("eval", "classes", 11, "there is no subset of 11 classes; known: 19, 16, 13"),
        ("data", "label_draw", "numpy", "unknown draw of labels 'numpy'; known: ours, published"),
    ],
)
def test_a_value_that_does_not_exist_is_found_before_any_work(section, key, value, message):
    config = load_config(BASE)
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
