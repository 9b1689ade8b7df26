"""`convert --list`: which published weights fit, with licence, gate and command; the page has the same table."""

import pathlib
import re

import pytest

from sde_seg_jax.cli import convert
from sde_seg_jax.cli.command_line import run
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.experiment.weights.known import KNOWN, markdown
from sde_seg_jax.models.backbones import backbone_modules

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "weights.md"


def test_the_list_has_every_licence_and_gate(capsys):
    assert run(convert.main, ["convert", "--list"], about=convert.__doc__, extra=convert.flags) == 0
    lines = capsys.readouterr().out.splitlines()
    text = " ".join(" ".join(lines).split())
    for one in KNOWN:
        assert one.what in lines
        for part in (one.file, one.licence, one.gate, one.command):
            assert part.replace("`", "") in text
    assert max(map(len, lines)) <= 100 or any("https://" in line for line in lines if len(line) > 100)


def test_the_page_has_the_same_table():
    assert markdown() in PAGE.read_text(encoding="utf-8")


def test_nothing_is_listed_without_a_licence():
    assert all(one.licence and one.command for one in KNOWN)
    assert len({one.what for one in KNOWN}) == len(KNOWN)


@pytest.mark.parametrize("one", KNOWN, ids=lambda one: one.what)
def test_commands_name_configurations_and_encoders_that_exist(one):
    for reference in re.findall(r"--config=([\w./]+(?::[\w=,]+)?)", one.command):
        path, _, row = reference.partition(":")
        load_config(path, row)
    for encoder in re.findall(r"model\.encoder=(\w+)", one.command):
        assert encoder in backbone_modules()
