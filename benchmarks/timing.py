"""How things are timed: contenders take turns, medians and quartiles, after warm-up; and the device's matrix peak."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
import platform
import subprocess
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of one call: median, lower and upper quartile, and of how many calls."""

    median: float
    low: float
    high: float
    n: int

    def text(self, unit: float = 1e3) -> str:
        """ "12.3 (12.1-12.6)" in milliseconds, or in 1/unit seconds."""
        return f"{self.median * unit:.3g} ({self.low * unit:.3g}-{self.high * unit:.3g})"


def measure(
    calls: dict[str, Callable[[], Any]], *, warmup: int = 3, rounds: int = 15, seconds: float = 2.0
) -> dict[str, Times]:
    """Times of calls that block until their work is done, in turns, so that a disturbance hits all of them.

    At least `rounds` turns, and more until `seconds` have passed for every contender together.
    """
    for call in calls.values():
        for _ in range(warmup):
            call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds * len(calls)
    turn = 0
    while turn < rounds or time.perf_counter() < end:
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            found[name].append(time.perf_counter() - begin)
        turn += 1
    return {name: summary(values) for name, values in found.items()}


def summary(values: list[float]) -> Times:
    """Median and quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return Times(float(median), float(low), float(high), len(values))


def matmul_peak(dtype: str, size: int | None = None) -> float:
    """FLOP/s of the best of several square matrix products on the default device: what a step's FLOP/s compare with.

    float32 products run at jax's default precision (on recent GPUs TF32).
    """
    size = size or (2048 if jax.default_backend() == "cpu" else 8192)
    a = jax.random.normal(jax.random.key(0), (size, size), jnp.dtype(dtype))
    product = jax.jit(lambda x, y: x @ y)
    times = measure({"product": lambda: product(a, a).block_until_ready()}, rounds=10, seconds=1.0)["product"]
    return 2 * size**3 / times.low


def device_line() -> str:
    """Hardware, versions and commit, for the head of every table."""
    device = jax.devices()[0]
    kind = device.device_kind if device.platform != "cpu" else f"CPU {_processor()}"
    versions = ", ".join([f"Python {platform.python_version()}", *_versions()])
    return f"{len(jax.devices())} x {kind}; {versions}; commit {commit()}"


def commit() -> str:
    """Short hash of the checkout, "+" where files differ from it; "unknown" outside of one."""
    try:
        run = {"capture_output": True, "text": True, "check": True}
        found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **run).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], **run).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found + ("+" if changed else "")


def _processor() -> str:
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def _versions() -> list[str]:
    found = []
    for name in ("jax", "jaxlib", "torch"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
