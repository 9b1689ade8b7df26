"""Flags and commands that are written otherwise end with one line that says the right spelling."""

import sys

import pytest

from sde_seg_jax import __version__
from sde_seg_jax.cli import __main__ as cli

NAMED = ("--config=quickstart:depth", "--workdir=runs/x")


@pytest.fixture
def sde_seg(monkeypatch, capsys):
    """sde_seg(*words) -> (exit status, stdout, stderr) of the installed command."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["sde-seg", *words])
        return cli.main(), *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("words", "spelling"),
    [
        (("--data.raw_dir=X",), "--config.data.raw_dir=X"),
        (("--raw_dir", "X"), "--config.data.raw_dir=X"),
        (("--steps=10",), "--config.train.steps=10"),
        (("-config.train.steps=10",), "--config.train.steps=10"),
        (("--conf.train.steps=10",), "--config.train.steps=10"),
        (("--train.step=10",), "--config.train.steps=10"),
        (("--setps=10",), "--config.train.steps=10"),
        (("--batch_size=2",), "--config.data.batch_size=2 or --config.eval.batch_size=2"),
        (("--size=(64,64)",), "'--config.data.size=(64,64)'"),  # as a shell wants it
        (("--in_memory",), "--config.data.in_memory=VALUE"),
        (
            ("--config.train.steps", "10"),
            "--config.train.steps 10: a value stands after '='; write --config.train.steps=10",
        ),
        (("--config.train.steps", "--checkpoint=x"), "write --config.train.steps=VALUE"),
        (("--config.train.steps",), "write --config.train.steps=VALUE"),
    ],
)
def test_a_key_that_is_written_as_a_flag_is_told_as_a_key(refused, words, spelling):
    assert refused("train", *NAMED, *words).endswith(spelling)
    assert refused("train", *words, *NAMED).endswith(spelling)


def test_without_a_configuration_the_usual_keys_are_known(refused):
    assert refused("train", "--raw_dir", "X").endswith("--config.data.raw_dir=X")
    assert refused("train", "--config", "camvid", "--frame_gap=2").endswith("--config.dataset.frame_gap=2")


@pytest.mark.parametrize("config", ["no_such", "no/such.py", "quickstart:no_row"])
def test_a_configuration_that_cannot_be_loaded_does_not_hide_the_flag(refused, config):
    line = refused("train", f"--config={config}", "--steps=10")
    assert line == "error: Unknown command line flag 'steps'; --help lists the flags of this command"


def test_a_flag_that_is_near_another_is_told_as_before(refused):
    assert refused("train", *NAMED, "--wrokdir=x").endswith(
        "Unknown command line flag 'wrokdir'. Did you mean: workdir ?"
    )


def test_a_row_is_named_by_a_name_or_a_path(refused):
    for config in ("quickstart", "configs/quickstart.py"):
        assert "has no row 'depht'; did you mean 'depth'?" in refused("train", f"--config={config}:depht")
    assert "did you mean quickstart?" in refused("train", "--config=quickstrat:depth")


def test_an_unknown_command_is_told_with_the_nearest(sde_seg):
    status, out, err = sde_seg("trian", "--help")
    assert (status, out) == (2, "")
    assert err.startswith("error: unknown command 'trian'; did you mean 'train'? commands: pipeline, ")
    assert "did you mean 'cache_depth'?" in sde_seg("cache-depth")[2]
    assert sde_seg("zzz")[2].startswith("error: unknown command 'zzz'; commands: ")


def test_the_version_and_an_overview(sde_seg):
    assert sde_seg("--version") == (0, f"sde-seg {__version__}\n", "")
    status, out, _ = sde_seg("--help")
    assert status == 0
    assert sde_seg() == (0, out, "")
    lines = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert [line[0] for line in lines] == list(cli.COMMANDS)
    assert all(len(line) > 1 for line in lines)
    assert max(map(len, out.splitlines())) < 120


def test_a_command_is_dispatched(sde_seg):
    status, out, _ = sde_seg("train", "--help")
    assert (status, out.splitlines()[0].partition(":")[0]) == (0, "Trains one configuration")
    assert sde_seg("train")[0] == 2
