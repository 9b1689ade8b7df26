"""Untrained networks of the tiny configuration, written as checkpoints: what is exported need not know anything."""

import contextlib
import importlib
import pathlib
import re
import sys
from collections.abc import Mapping

import numpy as np
import pytest

from sde_seg_jax.cli.command_line import run
from sde_seg_jax.experiment.build import build_network
from sde_seg_jax.experiment.config import ConfigFile, as_json
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.training import checkpoints
from sde_seg_jax.types import Variables

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = str(ROOT / "tests" / "tiny" / "config.py")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """checkpoint("row", key=value) -> the workdir of an untrained network whose answers differ from pixel to pixel."""
    made = {}

    def call(row, **changes):
        key = (row, *sorted(changes.items()))
        if key not in made:
            folder = made[key] = tmp_path_factory.mktemp(row)
            config = ConfigFile(TINY, row, {"data.prepared_dir": str(folder / "missing"), **changes}).config()
            variables = initial_variables(build_network(config), 1, tuple(config.data.crop))
            variables = Variables(_decided(variables.params), variables.batch_stats)
            with contextlib.closing(checkpoints.Checkpoints(str(folder))) as store:
                state = {"step": np.asarray(7, np.int32), "student": variables}
                store.save(7, state, as_json(config))
        return str(made[key])

    return call


def _decided(params, factor=1.0):
    """The last kernels 30 times as large: else all classes are about as probable, and all that is compared is alike."""
    return {
        name: _decided(value, 30.0 if re.match(r"classifier|disparity", name) else factor)
        if isinstance(value, Mapping)
        else np.asarray(value) * np.float32(factor if name == "kernel" else 1)
        for name, value in params.items()
    }


@pytest.fixture
def command(capsys):
    """command(*flags) of cli.export in this process -> (exit status, stdout, stderr)."""

    def call(*flags, name="export"):
        module = importlib.import_module(f"sde_seg_jax.cli.{name}")
        capsys.readouterr()
        status = run(module.main, [f"cli.{name}", *flags], about=module.__doc__, extra=module.flags)
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def blocked(tmp_path):
    """blocked(script) -> its output, from an interpreter in which this package cannot be imported."""
    import subprocess

    def call(script):
        code = f"import sys; sys.modules['sde_seg_jax'] = None\n{script}"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call
