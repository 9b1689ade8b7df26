"""cli.config --from_batch: the printed rule for a larger batch."""

import re

import pytest

from sde_seg_jax.cli.command_line import parse
from sde_seg_jax.experiment.configuration.batch_rule import rates


def config(*flags):
    return parse(["config", *flags], "").config()


def told(found):
    return set(re.findall(r"--config\.\S+", "\n".join(found)))


def test_rates_of_sgd_grow_with_the_batch_and_steps_shrink():
    found = list(rates(config("--config=base", "--config.data.batch_size=32", "--config.train.steps=40000"), 2))
    assert found[0].endswith("rates grow in proportion to the batch (Goyal et al. 2017): times 16")
    assert told(found) == {
        "--config.optim.learning_rate=0.16",
        "--config.optim.module_rates.encoder=0.016",
        "--config.train.steps=2500",
    }


def test_rates_of_adam_grow_with_its_root():
    flags = ("--config=quickstart:depth", "--config.data.batch_size=16", "--config.optim.learning_rate=0.0001")
    found = list(rates(config(*flags), 4))
    assert "square root" in found[0]
    assert "--config.optim.learning_rate=0.0002" in told(found)


def test_the_printed_flags_are_flags():
    flags = ("--config=base", "--config.data.batch_size=8")
    changed = config(*flags, *told(rates(config(*flags), 2)))
    before = config(*flags)
    assert changed.optim.learning_rate == pytest.approx(4 * before.optim.learning_rate)
    assert changed.optim.module_rates.encoder == pytest.approx(4 * before.optim.module_rates.encoder)


def test_it_is_off_and_changes_nothing_by_default(command):
    _, with_rule, _ = command("config", "--config=base", "--from_batch=1")
    _, plain, _ = command("config", "--config=base")
    assert "nothing is changed until you give the flags" in with_rule
    assert "times" not in plain


def test_an_optimiser_without_a_rule_is_one_line():
    other = config("--config=base")
    other.optim.name = "lion"
    with pytest.raises(ValueError, match=r"^config.optim.name=lion: no rule is known; there are rules for sgd, adam"):
        list(rates(other, 2))
