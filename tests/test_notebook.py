"""Every notebook runs from its first cell to its last, and shows its pictures."""

import json
import math
import pathlib
import re
import sys
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient

from sde_seg_jax import api

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"


class Story(NamedTuple):
    """What a notebook leaves behind."""

    workdir: str  # in runs/
    stages: tuple[str, ...]
    pictures: int


STORIES = {
    # scenes and legend, warp, auto-mask, curves and depth, two mixes, curves and predictions
    "street_scenes_to_segmentation": Story("notebook", ("depth", "baseline", "semi_supervised"), 10),
    # scenes and legend, predictions in both domains, curves and depth of both, two mixes, pairs, curves, predictions
    "synthetic_labels_to_real_streets": Story(
        "notebook_adaptation", ("source_only", "depth", "depth_source", "joint", "cross_intra_matching"), 12
    ),
    "your_own_training_loop": Story("notebook_loop", (), 1),
}
TIMEOUT = 600  # seconds for one cell: several networks are compiled when the cache is cold


def read_notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def pictures(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output for output in outputs if "image/png" in output.get("data", {})]


def losses(path):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [record["loss"] for record in records if "loss" in record]


def test_every_notebook_is_run_here():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(STORIES)


@pytest.mark.parametrize("name", STORIES)
def test_the_committed_notebook_has_no_outputs(name):
    code = [cell for cell in read_notebook(name).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.parametrize("name", STORIES)
def test_a_notebook_imports_nothing_of_the_library_but_its_public_names(name):
    code = "\n".join(cell.source for cell in read_notebook(name).cells if cell.cell_type == "code")
    assert re.findall(r"^.*(?:import|from) +sde_seg_jax.*$", code, re.MULTILINE) == ["import sde_seg_jax as sds"]
    assert "sde_seg_jax." not in code
    used = set(re.findall(r"\bsds\.(\w+)", code))
    assert used <= set(api.__all__)


@pytest.mark.whole
@pytest.mark.parametrize(("name", "story"), STORIES.items(), ids=STORIES)
def test_the_notebook_runs_and_shows_its_pictures(name, story, tmp_path, monkeypatch):
    monkeypatch.setenv("SDE_SEG_NOTEBOOK_SCALE", "tiny")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".jax_cache"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # nobody's profile or history
    notebook = read_notebook(name)
    notebook.cells.append(nbformat.v4.new_code_cell("import sys; sys.executable"))

    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()

    kernel = notebook.cells[-1].outputs[0].data["text/plain"]
    assert kernel == repr(sys.executable), f"the kernel is another Python: {kernel}"
    assert len(pictures(notebook)) == story.pictures
    for stage in story.stages:
        found = losses(tmp_path / "runs" / story.workdir / "tiny" / stage / "metrics.jsonl")
        assert found, f"{stage} logged no loss"
        assert all(loss is not None and math.isfinite(loss) for loss in found)
