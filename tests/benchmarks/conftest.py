"""Benchmarks are scripts beside the package: their folder is put on the path, as Python does when they run."""

import pathlib
import sys

import jax
import numpy as np
import pytest
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture
def float64():
    """jax in 64 bits, and PyTorch's random numbers from their start."""
    torch.manual_seed(0)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)
