"""Flags, overrides, sections as keyword arguments, exit statuses."""

import pytest
from ml_collections import ConfigDict

from sde_seg_jax.cli import command_line
from sde_seg_jax.experiment import config
from sde_seg_jax.training.loop import Interrupted


def arguments(*flags):
    return command_line.parse(["command", *flags], "about")


def outcome(error, capsys):
    def main(_):
        raise error

    status = command_line.run(main, ["command"], about="about")
    return status, capsys.readouterr().err


def test_overrides_take_the_type_of_what_they_replace(tiny):
    flags = ("--config.data.size=(32,96)", "--config.optim.learning_rate=1", "--config.data.in_memory=false")
    c = arguments(tiny("depth"), *flags, "--config.model.disparity_bias=-4.0").config()
    assert (c.data.size, c.data.in_memory, c.model.disparity_bias) == ((32, 96), False, -4.0)
    assert isinstance(c.optim.learning_rate, float)


def test_a_row_is_chosen_after_the_colon(tiny):
    assert arguments(tiny("depth")).config().task.name == "depth"
    assert arguments(tiny("depth")).config("supervised").task.name == "supervised"


def test_call_passes_a_section_as_keyword_arguments_and_checks_it():
    def function(first, *, needed, other=2, given):
        return first, needed, other, given

    assert config.call("x", function, {"needed": 1}, 0, given=3) == (0, 1, 2, 3)
    with pytest.raises(config.UsageError, match=r"unknown key 'config.x.neded': did you mean 'needed'"):
        config.call("x", function, {"neded": 1}, 0, given=3)
    with pytest.raises(config.UsageError, match=r"unknown key 'config.x.given'"):
        config.call("x", function, {"needed": 1, "given": 3}, 0, given=3)
    with pytest.raises(config.UsageError, match=r"config.x lacks 'needed'"):
        config.call("x", function, {}, 0, given=3)


def test_a_configuration_is_plain_json():
    assert config.as_json(ConfigDict({"a": (1, 2), "b": {"c": None}})) == {"a": [1, 2], "b": {"c": None}}
    with pytest.raises(config.UsageError, match="not JSON"):
        config.as_json(ConfigDict({"a": object()}))


def test_exit_statuses(capsys):
    assert command_line.run(lambda arguments: None, ["command"], about="about") == 0
    assert outcome(Interrupted("stopped; saved"), capsys) == (130, "stopped; saved\n")
    assert outcome(KeyboardInterrupt(), capsys) == (130, "interrupted\n")
    assert outcome(ValueError("first\n second"), capsys) == (2, "error: first second\n")
    assert outcome(OSError(28, "No space left on device", "/x"), capsys) == (
        2,
        "error: [Errno 28] No space left on device: '/x'; free disk space and start again\n",
    )
    with pytest.raises(KeyError):  # a fault of the program, not of its input
        command_line.run(lambda arguments: {}["x"], ["command"], about="about")
