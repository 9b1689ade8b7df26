"""Generated pages are what their generators write now, and drawings name what exists."""

import importlib.util
import pathlib
import re

import pytest
from test_layers import ALLOWED

import sde_seg_jax as sds

ROOT = pathlib.Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
BASE = (ROOT / "configs" / "base.py").read_text(encoding="utf-8")
DRAWING = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_configuration_keys_is_of_today():
    assert tool("configuration_page").page(BASE) == (REFERENCE / "configuration.md").read_text(encoding="utf-8"), (
        "run python docs/tools/configuration_page.py"
    )


def test_every_key_has_a_meaning():
    page = tool("configuration_page")
    told = {key.name for key in page.keys(BASE) if key.meaning} | set(page.WORDS)
    assert {key.name for key in page.keys(BASE)} - told == set()


def test_no_meaning_is_written_twice():
    page = tool("configuration_page")
    assert {key.name for key in page.keys(BASE) if key.meaning} & set(page.WORDS) == set()


@pytest.mark.parametrize("name", ["base", "quickstart:depth", "quickstart:depthmix"])
def test_every_key_of_a_configuration_is_on_the_page(name):
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    config = sds.configure(name)
    sections = [key for key in config if key not in ("dataset", "pipeline") and hasattr(config[key], "items")]
    left = [f"{s}.{k}" for s in sections for k in config[s] if f"`{s}.{k}`" not in page]
    assert left == []


def test_the_page_of_public_names_is_of_today():
    assert tool("api_page").page() == (REFERENCE / "api.md").read_text(encoding="utf-8"), (
        "run python docs/tools/api_page.py"
    )


def test_the_page_of_commands_is_of_today():
    assert tool("commands_page").page() == (REFERENCE / "commands.md").read_text(encoding="utf-8"), (
        "run python docs/tools/commands_page.py"
    )


def drawings():
    return DRAWING.findall((REFERENCE / "architecture.md").read_text(encoding="utf-8"))


def test_files_in_drawings_exist():
    images, keys, layers = drawings()
    named = [name.split(":")[0] for name in re.findall(r'\["([^"]+)"\]', images + keys) if re.match(r"\w+[/.]", name)]
    named = [name.removesuffix(" and others") for name in named] + re.findall(r"\w+", layers.split("\n", 1)[1])
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "sde_seg_jax" / name).exists()] == []


def test_arrows_between_layers_are_imports_that_are_allowed():
    arrows = re.findall(r"(\w+) --> (\w+)", drawings()[2])
    assert len(arrows) > 10
    allowed = {above: {part.split(".")[0] for part in below} for above, below in ALLOWED.items()}  # geometry.camera
    assert [(above, below) for above, below in arrows if below not in allowed[above]] == []
