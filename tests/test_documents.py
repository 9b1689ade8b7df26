"""What the pages name exists, and the code that they show runs."""

import pathlib
import re
import sys
import tomllib

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = re.compile(r"`((?:sde_seg_jax|tests|benchmarks|configs|notebooks|docs)/[\w/]+\.\w+)")
IMPORT = re.compile(r"^(?:from|import) sde_seg_jax.*$", re.MULTILINE)


def blocks(page, language):
    return [text for name, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")) if name == language]


def importable(line):
    try:
        exec(line, {})
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
    named = set(FILES.findall(page.read_text(encoding="utf-8")))
    below = (ROOT, ROOT / "tests")  # a table of tests leaves their folder out
    assert not [name for name in sorted(named) if not any((folder / name).exists() for folder in below)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_imports_exists(page):
    imports = [line for text in blocks(page, "python") for line in IMPORT.findall(text)]
    assert [line for line in imports if not importable(line)] == []


def test_an_import_of_what_is_gone_is_noticed():
    assert importable("from sde_seg_jax.data.spec import DatasetSpec")
    assert not importable("from sde_seg_jax.data.spec import Nothing")
    assert not importable("from sde_seg_jax.data.gone import batches")


@pytest.fixture
def forgets_imports():
    before = set(sys.modules)
    yield
    for name in [name for name in sys.modules if name not in before and name.split(".")[0] == "our_lab"]:
        del sys.modules[name]


def test_the_description_on_the_page_of_data_can_be_prepared_and_read(tmp_path, monkeypatch, forgets_imports):
    (code,) = [text for text in blocks("docs/data.md", "python") if "DatasetSpec" in text]
    (names,) = [tomllib.loads(text)["project"]["entry-points"] for text in blocks("docs/data.md", "toml")]
    (module,) = names["sde_seg_jax.datasets"].values()
    package, _, file = module.partition(".")
    (tmp_path / package).mkdir()
    (tmp_path / package / f"{file}.py").write_text(code)
    facts = tmp_path / f"{package}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[sde_seg_jax.datasets]\nour_streets = {module}\n")
    for split in ("train", "val"):
        (tmp_path / "raw" / split).mkdir(parents=True)
        picture = np.zeros((32, 64, 3), np.uint8)
        picture[:8] = 255
        Image.fromarray(picture).save(tmp_path / "raw" / split / "a.png")
    monkeypatch.syspath_prepend(tmp_path)
    prepare("our_streets", raw_dir=tmp_path / "raw", prepared_dir=tmp_path / "prepared", size=(32, 64), workers=1)
    sample = open_source("our_streets", tmp_path / "prepared", "val").read(0)
    np.testing.assert_array_equal(sample["label"][[0, 31], 0], [1, 0])
