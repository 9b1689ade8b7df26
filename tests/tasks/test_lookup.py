"""Tasks and loss terms are found by module name, and the core needs neither TensorFlow nor configurations."""

import pathlib
import subprocess
import sys

import pytest

from sde_seg_jax.lookup import choose
from sde_seg_jax.tasks.loss_terms import find_loss
from sde_seg_jax.tasks.task import find_task

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "sde_seg_jax"
CORE = (
    *("geometry", "imaging", "losses", "mixing", "models"),
    *("tasks", "training", "evaluation", "types", "label_spaces"),
)
BLOCK = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_datasets", "ml_collections", "torch", "matplotlib"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def modules():
    for part in CORE:
        for path in sorted([*(PACKAGE / part).rglob("*.py"), *PACKAGE.glob(f"{part}.py")]):
            yield ".".join(("sde_seg_jax", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def test_the_core_imports_without_tensorflow_configurations_torch_and_matplotlib():
    names = [*modules(), "sde_seg_jax.data.reading.memory", "sde_seg_jax.data.datasets.street_scenes"]
    assert len(names) > 30
    done = subprocess.run([sys.executable, "-c", BLOCK, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown task 'dpeth'; did you mean 'depth'\? known: depth, "):
        find_task("dpeth")
    with pytest.raises(ValueError, match=r"unknown loss term 'smooth'; .*known: berhu, cross_entropy, "):
        find_loss("smooth")
    with pytest.raises(ValueError, match=r"unknown task.mix 'x'; known: a, b"):
        choose({"a": 1, "b": 2}, "x", "task.mix")


def test_helper_modules_are_no_tasks():
    with pytest.raises(ValueError, match="unknown task 'teacher'"):
        find_task("teacher")
