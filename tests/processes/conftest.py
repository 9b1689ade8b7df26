"""Helpers of these tests are found by name, also those of the benchmarks."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("benchmarks", "tests/tasks")]
