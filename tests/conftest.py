"""Strict numerics for every test: no silent promotion, no silent broadcasting, two CPU devices, cached compilation."""

import os
import pathlib
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "parity"))
import golden_summary

CACHE = pathlib.Path(__file__).resolve().parents[1] / ".jax_cache"

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def pytest_terminal_summary(terminalreporter):
    """Which recordings of the published system were checked in this run, and which are not covered, with reasons."""
    for line in golden_summary.lines(terminalreporter.stats):
        terminalreporter.write_line(line)


def pytest_collection_modifyitems(items):
    """Slow tests first: with several workers, none is left running alone at the end."""
    items.sort(key=lambda item: "slow" not in item.keywords)
