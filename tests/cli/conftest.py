"""Commands on tiny street scenes: called in this process, or as processes of their own; runs shared by all tests."""

import fcntl
import importlib
import os
import pathlib
import subprocess
import sys

import jax
import pytest
from absl import logging

from sde_seg_jax.cli.command_line import run
from sde_seg_jax.experiment.table import plan

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = str(ROOT / "tests" / "tiny" / "config.py")


@pytest.fixture(autouse=True)
def same_verbosity():
    before = logging.get_verbosity()
    yield
    logging.set_verbosity(before)


@pytest.fixture
def command(capsys):
    """command("train", *flags) in this process -> (exit status, stdout, stderr)."""

    def call(name, *flags):
        module = importlib.import_module(f"sde_seg_jax.cli.{name}")
        extra = getattr(module, "flags", None)
        capsys.readouterr()
        more, hands_on = getattr(module, "more", None), getattr(module, "HANDS_ON", False)
        words = [f"cli.{name}", *flags]
        status = run(module.main, words, about=module.__doc__, extra=extra, more=more, hands_on=hands_on)
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def refused(command):
    """As `command`, for bad input: checks the exit status and the form, and returns the one line of the error."""

    def call(*arguments):
        status, _, err = command(*arguments)
        assert status == 2, err
        return error_line(err)

    return call


def error_line(stderr):
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, stderr
    assert stderr.splitlines()[-1] == errors[0]
    assert "Traceback" not in stderr
    return errors[0]


@pytest.fixture(scope="session")
def start():
    """start("train", *flags) -> a Popen of the real command, on one device, sharing the tests' compile cache."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
    }

    def call(name, *flags, before=(), **options):
        return subprocess.Popen(
            [*before, sys.executable, "-m", f"sde_seg_jax.cli.{name}", *flags],
            cwd=ROOT,
            env=environment | options.pop("env", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return call


@pytest.fixture(scope="session")
def finish(start):
    """finish("train", *flags) -> (exit status, stdout, stderr) of the real command."""

    def call(name, *flags, **options):
        with start(name, *flags, **options) as process:
            out, err = process.communicate(timeout=1800)
        return process.returncode, out, err

    return call


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """A folder for all tests, also of parallel test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def worker_id(request):
    return getattr(request.config, "workerinput", {}).get("workerid", "master")


@pytest.fixture(scope="session")
def runs(shared, finish):
    """What cli.pipeline leaves after depth and semi_supervised of the tiny configuration."""
    folder = shared / "runs"
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "pipeline.out").exists():
            status, out, err = finish("pipeline", f"--config={TINY}", data_at(shared), f"--workdir={folder}")
            assert status == 0, err
            (shared / "pipeline.out").write_text(out)
    return folder


@pytest.fixture(scope="session")
def prepared(shared, runs):
    """The flag that names the prepared street scenes."""
    return data_at(shared)


def data_at(folder):
    return f"--config.data.prepared_dir={folder / 'prepared'}"


@pytest.fixture(scope="session")
def tiny():
    """tiny("row") -> the flag that names the tiny configuration."""
    return lambda row: f"--config={TINY}:{row}"


@pytest.fixture
def made(monkeypatch):
    """Replaces training and selecting: made(name=error) -> the names of what was run, in order; those named raise."""

    def made(**errors):
        names = []

        def run_stage(config, folder, title, reporter, split=""):
            names.append(title)
            if title in errors:
                raise errors[title]

        monkeypatch.setattr(plan, "run_stage", run_stage)
        return names

    return made
