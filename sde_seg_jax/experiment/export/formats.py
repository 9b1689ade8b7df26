"""Which format a path means, what each can do, and its writer and reader."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export import onnx, saved_model, stablehlo, tflite
from sde_seg_jax.experiment.export.choices import FORMATS
from sde_seg_jax.experiment.export.graph import Graph
from sde_seg_jax.experiment.export.onnx_int8 import write_int8 as write_int8_onnx

MARK = saved_model.MARK
SUFFIXES = tuple(suffix for suffix in FORMATS if suffix)

# what a format cannot hold, and why
REFUSED = {
    ("onnx", "bfloat16"): "onnxruntime has no convolution in bfloat16 on a CPU; give --dtype=float16",
    ("stablehlo", "int8"): "jax does not quantise; give --dtype=bfloat16, or an .onnx file",
    ("saved_model", "int8"): "jax does not quantise; give --dtype=bfloat16, or an .onnx file",
    ("tflite", "bfloat16"): "LiteRT has no convolution in bfloat16; give --dtype=float16",
}


def format_of(path: pathlib.Path, flag: str = "--output") -> str:
    """The format of a path, by its suffix. Raises UsageError for an unknown one."""
    if path.suffix not in FORMATS:
        raise UsageError(
            f"{flag}={path}: '{path.suffix}' is no format; known: FILE.onnx, FILE.stablehlo, FILE.tflite, and a folder "
            "without a suffix for TensorFlow's SavedModel"
        )
    return FORMATS[path.suffix]


def require_possible(name: str, dtype: str, calibration: str) -> None:
    """Raises UsageError for a dtype that a format does not have, and for calibration images that nothing needs."""
    if (name, dtype) in REFUSED:
        raise UsageError(f"--dtype={dtype}: {REFUSED[name, dtype]}")
    if dtype == "int8" and not calibration:
        raise UsageError("--dtype=int8 needs --calibration=DIR, a folder of images like those that will come")
    if calibration and dtype != "int8":
        raise UsageError(f"--calibration is for --dtype=int8; leave it out for {dtype}")


def write(
    name: str,
    graph: Graph,
    path: pathlib.Path,
    record: dict[str, Any],
    *,
    dtype: str,
    calibration: Callable[[], list[np.ndarray]] = list,
    vjp_order: int = 0,
) -> None:
    """Writes the graph in a format; `calibration` gives images at the input size, in int8."""
    if name == "onnx" and dtype == "int8":
        write_int8_onnx(graph, path, record, calibration())
    elif name == "onnx":
        onnx.write(graph, path, record)
    elif name == "stablehlo":
        stablehlo.write(graph, path, vjp_order=vjp_order)
    elif name == "saved_model":
        saved_model.write(graph, path)
    else:
        tflite.write(graph, path, dtype=dtype, calibration=calibration)


READERS = {
    "onnx": onnx.read,
    "stablehlo": stablehlo.read,
    "saved_model": saved_model.read,
    "tflite": tflite.read,
}


def computed_in(name: str, dtype: str) -> str:
    """The dtype of the graph that is handed to a format: of ONNX and LiteRT others are made from float32 by tools."""
    return "float32" if name in ("onnx", "tflite") else dtype


def read(path: pathlib.Path) -> Callable[[np.ndarray], Any]:
    """An exported file as a function: uint8 images [B,H,W,3] -> {output: array}. Raises UsageError."""
    return READERS[format_of(path, "--checkpoint")](path)
