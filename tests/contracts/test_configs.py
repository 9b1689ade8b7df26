"""Every configuration file can be used: its rows build, its sections fit the functions that read them."""

import ast
import json
import pathlib

import pytest

from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import as_json, load_config, load_module

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = [*sorted((ROOT / "configs").rglob("*.py")), ROOT / "tests/tiny/config.py"]
FILES = [path for path in MODULES if "def get_config" in path.read_text()]  # the others are shared by these


def rows(path):
    return list(getattr(load_module(str(path)), "ROWS", [""]))


def cases():
    return [(path, row) for path in FILES for row in rows(path)]


@pytest.mark.parametrize(("path", "row"), cases(), ids=lambda x: getattr(x, "stem", x))
def test_a_row_fits_the_functions_that_read_it(path, row):
    config = load_config(str(path), row)
    check(config)
    assert json.loads(json.dumps(as_json(config))) == as_json(config)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_configuration_opens_with_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_stages_of_a_pipeline_are_rows(path):
    config = load_config(str(path))
    assert set(config.get("pipeline", {}).get("stages", ())) <= set(rows(path))
