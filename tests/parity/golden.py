"""Recorded inputs and outputs of the published system, and the comparison with their manifest's tolerances.

The folder is SDE_SEG_REFERENCE_DIR if set, else `../shared/reference` beside the checkout, else the compact
selection in `tests/parity/recordings/`, which also runs when a full folder is present.
"""

import dataclasses
import functools
import json
import os
import pathlib
import re

import jax
import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent
COMPACT = HERE / "recordings"

# Recordings that no test covers: name prefix -> why. Every other name must be covered.
NOT_COVERED: dict[str, str] = {}

# Recordings of networks at their published width and depth: minutes to compile. Small ones have the same parts.
PUBLISHED_SIZE = re.compile("resnet50|resnet101|g08_pad_dec6")


def full_dir() -> pathlib.Path | None:
    """The folder of the whole recording set, or None on a clone without one."""
    named = os.environ.get("SDE_SEG_REFERENCE_DIR")
    if named:
        if not (pathlib.Path(named) / "manifest.json").is_file():
            raise FileNotFoundError(f"SDE_SEG_REFERENCE_DIR={named} holds no manifest.json")
        return pathlib.Path(named)
    beside = HERE.parents[2] / "shared" / "reference"
    return beside if (beside / "manifest.json").is_file() else None


@functools.lru_cache
def manifest(folder: pathlib.Path) -> dict:
    """name (without .npz) -> entry."""
    files = json.loads((folder / "manifest.json").read_text())["files"]
    return {name.removesuffix(".npz"): entry for name, entry in files.items()}


@dataclasses.dataclass(frozen=True)
class Recording:
    """One file: `rec["in.x"]` is an array, `rec.params` the manifest's parameters."""

    name: str
    folder: pathlib.Path

    @property
    def entry(self) -> dict:
        return manifest(self.folder)[self.name]

    @property
    def params(self) -> dict:
        return self.entry["params"]

    @functools.cached_property
    def arrays(self) -> dict:
        with np.load(self.folder / f"{self.name}.npz") as data:
            return dict(data)

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def input(self, key: str, dtype) -> np.ndarray:
        """`in.<key>` in the precision of the run; integers and booleans as they are."""
        value = self[f"in.{key}"]
        return value.astype(dtype) if np.issubdtype(value.dtype, np.floating) else value

    def sibling(self, name: str) -> "Recording":
        """Another file of the same set (`params.features_from`)."""
        return Recording(name.removesuffix(".npz"), self.folder)

    def assert_matches(self, key: str, actual, *, outliers: bool = False, rtol: float = 1e-9) -> None:
        """Compares with `out64.<key>` (else `out.<key>`) in the manifest's tolerance for the precision of `actual`.

        float32: the manifest's suggested atol. float64: `rtol` (whole steps: the manifest's 1e-6), atol 1e-10
        (an absolute floor of 1e-12 of the array's maximum is implied by rtol). Integers and masks: exact.
        `outliers=True` is for gradients through min, |x|, arg max and bilinear borders: 99 % of the entries within
        10x the recorded p99, all within atol.
        """
        actual = np.asarray(actual)
        name = f"out64.{key}" if f"out64.{key}" in self else f"out.{key}"
        expected = self[name]
        label = f"{self.name}: {name}"
        assert actual.shape == expected.shape, f"{label}: shape {actual.shape}, recorded {expected.shape}"
        if not np.issubdtype(expected.dtype, np.floating):
            np.testing.assert_array_equal(actual, expected, err_msg=label)
            return
        assert np.isfinite(actual[np.isfinite(expected)]).all(), f"{label}: not finite where the recording is"
        noise = self.entry["arrays"][name]
        if name.startswith("out."):  # no float64 run recorded: compare at float32 resolution
            scale = float(np.nanmax(np.abs(expected), initial=0.0))
            np.testing.assert_allclose(actual, expected, rtol=0, atol=max(2e-6 * scale, 1e-12), err_msg=label)
            return
        if actual.dtype == np.float64:
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-10, err_msg=label)
            return
        atol = noise["suggested_atol_for_a_float32_implementation"]
        np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=label)
        if outliers and noise["f32_vs_f64_p99"] > 0:
            close = np.abs(actual - expected) <= max(10 * noise["f32_vs_f64_p99"], 2e-6 * noise["maxabs"])
            assert close.mean() >= 0.99, f"{label}: only {close.mean():.2%} within 10x the recorded p99"


def recordings(*prefixes: str) -> list:
    """pytest parameters: every recording (full set, compact selection, `made`) whose name starts with a prefix."""
    from made import MAKERS, made

    folders = [folder for folder in (COMPACT, full_dir()) if folder and (folder / "manifest.json").is_file()]
    found = [
        pytest.param(
            Recording(name, folder),
            id=f"{name}{'-compact' if folder == COMPACT else ''}",
            marks=pytest.mark.slow if PUBLISHED_SIZE.search(name) else (),
        )
        for folder in folders
        for name in manifest(folder)
        if name.startswith(prefixes) and not name.startswith(tuple(NOT_COVERED))
    ]
    found += [pytest.param(made(name), id=f"{name}-made") for name in MAKERS if name.startswith(prefixes)]
    return found or [pytest.param(None, marks=pytest.mark.skip(reason=f"no recording of {prefixes} here"))]


def both_precisions(test):
    """Runs a test with `dtype` float32 and, under x64, float64."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
    @functools.wraps(test)
    def run(*args, dtype, **kwargs):
        with jax.enable_x64(dtype == np.float64), jax.default_matmul_precision("highest"):
            test(*args, dtype=dtype, **kwargs)

    return run


def fill(name: str, shape, seed: int) -> np.ndarray:
    """The recordings' weights, from name, shape and seed alone (reference README, 'Fill rule')."""
    import zlib

    rng = np.random.default_rng(zlib.crc32(name.encode()) + seed)
    leaf = name.split(".")[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_var" or (leaf == "weight" and len(shape) == 1):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if leaf in ("bias", "running_mean"):
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)
    gain = 0.5 if ".layer" in name else 0.3 if shape[0] == 1 else 1.0
    return (gain * np.sqrt(2.0 / np.prod(shape[1:])) * rng.standard_normal(shape)).astype(np.float32)


def wave(shape, dtype=np.float64) -> np.ndarray:
    """sin(0.37 k + 1), k the flat index: loss weights that are not stored."""
    return np.sin(0.37 * np.arange(int(np.prod(shape))) + 1).reshape(shape).astype(dtype)


def nhwc(x):
    """NCHW (as recorded) to NHWC (ours)."""
    return np.moveaxis(np.asarray(x), 1, -1)


def nchw(x):
    """NHWC (ours) to NCHW (as recorded)."""
    return np.moveaxis(np.asarray(x), -1, 1)


def sample(x, stride: int) -> np.ndarray:
    """`*_sample` arrays: every stride-th entry in NCHW order; x is NCHW."""
    return np.asarray(x).reshape(-1)[::stride]


def stats(x) -> np.ndarray:
    """`*_stats` arrays: mean, population std, max |x|, L2 norm."""
    x = np.asarray(x, np.float64)
    return np.array([x.mean(), x.std(), np.abs(x).max(), np.linalg.norm(x)])
