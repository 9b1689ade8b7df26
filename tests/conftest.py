"""Strict numerics for every test: no silent promotion, no silent broadcasting, two CPU devices, cached compilation."""

import collections
import ctypes
import math
import os
import pathlib
import signal
import sys
import threading
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "benchmarks"))
from compiler_options import FAST, as_flags

# Processes that tests start inherit it. `XLA_FLAGS= make test` compiles as users do.
os.environ.setdefault("XLA_FLAGS", as_flags(FAST | {"xla_cpu_parallel_codegen_split_count": 1}))

import jax
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "parity"))
import golden_summary

CACHE = pathlib.Path(__file__).resolve().parents[1] / ".jax_cache"

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
# Whoever runs in a shell's background has Ctrl-C ignored, and so have its children: the commands that are interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

BEGAN = time.monotonic()
TOO_LATE = "begins too late: --minutes"


def pytest_addoption(parser):
    parser.addoption("--minutes", type=float, default=math.inf, help="skip, and name, tests that would begin later")


def pytest_runtest_setup(item):
    if time.monotonic() - BEGAN > 60 * item.config.getoption("minutes"):
        pytest.skip(TOO_LATE)


def pytest_terminal_summary(terminalreporter):
    """Which recordings of the published system were checked in this run, and which are not covered, with reasons.

    And which tests were left out for time, by file.
    """
    for line in golden_summary.lines(terminalreporter.stats):
        terminalreporter.write_line(line)
    late = [report for report in terminalreporter.stats.get("skipped", []) if TOO_LATE in str(report.longrepr)]
    for file, count in collections.Counter(report.nodeid.partition("::")[0] for report in late).items():
        terminalreporter.write_line(f"left out for time: {count} of {file}")


@pytest.fixture(autouse=True, scope="session")
def notes_of_their_own(tmp_path_factory):
    """What commands remember of raw files stays out of the home folder."""
    if "SDE_SEG_CACHE" not in os.environ:
        os.environ["SDE_SEG_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="module")
def small_memory():
    """Programs of one file are no use to the next, and a worker runs a hundred files."""
    yield
    jax.clear_caches()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc, which else keeps two thirds of it
    if give_back is not None:
        give_back(0)


def pytest_collection_modifyitems(items):
    """Long tests first: with several workers, none is left running alone at the end."""
    items.sort(key=lambda item: not {"slow", "whole"} & set(item.keywords))
