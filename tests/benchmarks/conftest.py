"""Benchmarks are scripts beside the package: their folder is put on the path, as Python does when they run."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks"))
