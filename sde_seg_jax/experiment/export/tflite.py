"""LiteRT (.tflite), by TensorFlow's converter from a SavedModel."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export import saved_model
from sde_seg_jax.experiment.export.graph import Graph
from sde_seg_jax.experiment.export.packages import needed
from sde_seg_jax.experiment.export.plain import plain
from sde_seg_jax.state_files.writing import write_bytes

SIGNATURE = "serving_default"


def write(
    graph: Graph, path: pathlib.Path, *, dtype: str = "float32", calibration: Callable[[], list[np.ndarray]] = list
) -> None:
    """Writes the graph in float32, with weights in float16, or in int8 by the range of every map on some images.

    `calibration` gives those images, uint8 [H,W,3] at the input size.
    """
    tf = saved_model.tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        plainer = dataclasses.replace(graph, function=plain(graph.function))
        saved_model.write(plainer, pathlib.Path(folder) / "saved_model", platforms=("cpu",))
        converter = tf.lite.TFLiteConverter.from_saved_model(str(pathlib.Path(folder) / "saved_model"))
        if dtype == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        if dtype == "int8":
            images = calibration()
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ({"image": np.asarray(image)[None]} for image in images)
        try:
            with warnings.catch_warnings():  # the converter calibrates by an interpreter that TensorFlow will drop
                warnings.simplefilter("ignore", UserWarning)
                content = converter.convert()
        except Exception as error:  # its errors are MLIR's, in a class of its own
            raise UsageError(f"TensorFlow's converter cannot write {path.name}: {_short(error)}") from error
    write_bytes(path, content)


def read(path: pathlib.Path) -> Callable[[np.ndarray], Mapping[str, Any]]:
    """The file as a function of images. Raises UsageError for a file that LiteRT cannot read."""
    litert = needed("ai_edge_litert.interpreter", path.name)
    try:
        runner = litert.Interpreter(model_path=str(path)).get_signature_runner(SIGNATURE)
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"LiteRT cannot read {path}: {_short(error)}") from error

    def run(images):
        try:
            return runner(image=images)
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"LiteRT cannot run {path}: {_short(error)}") from error

    return run


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
