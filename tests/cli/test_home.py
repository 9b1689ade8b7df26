"""~ in paths, which a shell does not replace behind "=": no folder of that name is ever made."""

import pathlib
import sys

import pytest
from absl import flags as absl_flags
from ml_collections import config_dict

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import tree_folder

from sde_seg_jax.cli import __main__ as cli
from sde_seg_jax.cli import command_line
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.experiment.config import ConfigFile, override
from sde_seg_jax.experiment.configuration.configure import configure
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.home import expanded


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert not [path for path in tmp_path.rglob("~*")]


@pytest.mark.parametrize("value", ["x~", "a/~/b", "", "hf://x/~y", 3, None, (1, "b")])
def test_only_a_leading_tilde_counts(value):
    assert expanded(value) == value


def test_every_flag_of_every_command_is_expanded(home):
    for name in cli.COMMANDS:
        module = cli._module(name)
        values = absl_flags.FlagValues()
        extra = getattr(module, "flags", None)
        if extra is not None:
            extra(values)
        texts = [flag for flag in values if isinstance(values[flag], absl_flags.Flag) and values[flag].value == ""]
        texts += ["workdir", "checkpoint"]
        arguments = command_line.parse([name, *(f"--{flag}=~/x y" for flag in texts)], "", extra)
        assert {getattr(arguments, flag) for flag in texts} == {f"{home}/x y"}


def test_every_key_is_expanded_from_flags_and_files(home, tmp_path):
    keys = ("data.raw_dir", "data.prepared_dir", "data.depth_cache", "data.label_file", "model.init")
    arguments = command_line.parse(["x", "--config=base", *(f"--config.{key}=~/a" for key in keys)], "")
    config = arguments.config()
    for section, name in (key.split(".") for key in keys):
        assert config[section][name] == f"{home}/a"
    (home / "own.py").write_text(
        "import base\n\n\ndef get_config():\n    c = base.get_config()\n"
        "    c.data.raw_dir = '~'\n    c.sources = {'a': '~/w.pth'}\n    return c\n"
    )
    arguments = command_line.parse(["x", "--config=~/own.py"], "")
    assert arguments.path == f"{home}/own.py"
    assert (arguments.config().data.raw_dir, arguments.config().sources.a) == (str(home), f"{home}/w.pth")
    assert ConfigFile(f"{home}/own.py").config().data.raw_dir == str(home)


def test_programs_may_write_it_too(home):
    assert configure("base", {"data.raw_dir": "~/a"}).data.raw_dir == f"{home}/a"
    config = config_dict.ConfigDict({"sources": {}, "data": {"label_file": "~/list.txt"}, "nested": ({"from": "~/w"},)})
    assert resolve(config, None).data.label_file == f"{home}/list.txt"
    assert override(config, {}).nested[0]["from"] == f"{home}/w"


def test_what_is_prepared_lies_in_the_home_folder(home, command):
    tree_folder.write(home / "raw")
    prepare("folder", raw_dir="~/raw", prepared_dir="~/prepared", size=(24, 32), workers=1, splits=["train"])
    assert (home / "prepared" / "folder").is_dir()
    flags = ("--dataset=folder", "--raw_dir=~/raw", "--workers=1", "--output=~/s.png", "--report=~/r.json")
    assert command("doctor", *flags)[0] == 0
    assert (home / "s.png").is_file()
    assert (home / "r.json").is_file()
