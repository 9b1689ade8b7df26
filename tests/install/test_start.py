"""Help, versions and mistyped command lines are answered before anything that takes long is imported."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

from sde_seg_jax.cli.__main__ import COMMANDS
from sde_seg_jax.data.annotation import tools
from sde_seg_jax.data.stored.choices import IMAGE_FORMATS
from sde_seg_jax.data.stored.codings import CODECS
from sde_seg_jax.experiment.annotation.formats import FORMATS

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAVY = ("jax", "flax", "optax", "orbax", "tensorflow", "tensorflow_datasets", "cv2", "matplotlib", "torch", "etils")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
CALLS = f"""
import sys
from sde_seg_jax.cli import __main__ as cli

def status(*words):
    sys.argv = ["sde-seg", *words]
    found = cli.main()
    heavy = [name for name in {HEAVY} if name in sys.modules]
    assert not heavy, (words, heavy)
    return found

"""


def run(code, folder):
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_the_package_alone_imports_no_framework(tmp_path):
    run(f"import sde_seg_jax, sys; assert not {{*{HEAVY}}} & {{*sys.modules}}", tmp_path)


def test_help_of_every_command_imports_no_framework(tmp_path):
    code = "assert status('--help') == status('--version') == 0\n"
    run(CALLS + code + "for name in cli.COMMANDS: assert status(name, '--help') == 0, name", tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("trian",),
        ("train", "--wrokdir=x"),
        ("train", "--config=quickstart:depth", "--steps=10"),
        ("train", "--config=quickstrat"),
        ("train", "--config=quickstart:depht"),
        ("train", "--config=quickstart:depth", "--config.train.stpes=10", "--workdir=x"),
        ("prepare", "--config=camvid", "--image_format=gif"),
    ],
)
def test_errors_of_the_command_line_import_no_framework(tmp_path, words):
    run(CALLS + f"assert status(*{words}) == 2", tmp_path)


def test_a_command_without_its_flags_is_told_before_a_framework_is_imported(tmp_path):
    run(CALLS + "for name in cli.COMMANDS: assert status(name) == 2, name", tmp_path)


def test_what_a_command_line_offers_is_what_there_is():
    assert tuple(CODECS) == IMAGE_FORMATS
    assert tools.names() == FORMATS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_flags_and_what_it_calls(name):
    text = (ROOT / f"sde_seg_jax/cli/{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    names = {node.name for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert names <= {"flags", "main"}, f"{name} holds work: move it to experiment/"
