"""ONNX, by jax2onnx from plain operations; run by onnxruntime."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export import onnx_any_size
from sde_seg_jax.experiment.export.graph import Graph
from sde_seg_jax.experiment.export.packages import needed, told
from sde_seg_jax.experiment.export.plain import plain
from sde_seg_jax.experiment.export.record import KEY, as_text
from sde_seg_jax.state_files.writing import write_bytes

OPSET = 21  # of 2024
INPUT = "image"


def write(graph: Graph, path: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Writes the graph, with the record among its metadata."""
    model = to_model(graph, float16=record["dtype"] == "float16")
    note(model, record)
    write_bytes(path, model.SerializeToString())


def to_model(graph: Graph, *, float16: bool = False) -> Any:
    """The graph as an ONNX ModelProto with named input and outputs."""
    with quiet():  # it prints what it is at
        jax2onnx = needed("jax2onnx", "--output=*.onnx")
        try:
            with told("jax2onnx cannot convert this network", "export FILE.stablehlo"):
                model = _converted(jax2onnx, dataclasses.replace(graph, input_size=graph.input_size or graph.size))
        finally:
            jax.clear_caches()  # functions that were traced meanwhile hold operations of jax2onnx
    if float16:
        model = _in_float16(model)
    return model if graph.input_size else onnx_any_size.before(model, INPUT, graph.size)


def _in_float16(model: Any) -> Any:
    """Weights and values in float16; inputs and outputs stay, and so do operations that onnxruntime lacks in it."""
    tool = needed("onnxruntime.transformers.float16", "--dtype=float16")
    with quiet():
        return tool.convert_float_to_float16(model, keep_io_types=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what libraries print and log as they work from a person's eyes."""
    nowhere, before = io.StringIO(), logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield
    finally:
        logging.disable(before)


def _converted(jax2onnx: Any, graph: Graph) -> Any:
    batch, height, width, channels = graph.example_shape
    names = [batch if graph.batch else "B", height, width, channels]
    return jax2onnx.to_onnx(
        plain(graph.in_order),
        inputs=[jax.ShapeDtypeStruct(tuple(names), jnp.uint8)],
        model_name="sde_seg_jax",
        opset=OPSET,
        input_names=[INPUT],
        output_names=list(graph.outputs),
    )


def note(model: Any, record: Mapping[str, Any]) -> None:
    """Writes the record into the model's metadata."""
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, as_text(dict(record))


def read(path: pathlib.Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The file as a function of images. Raises UsageError for a file that onnxruntime cannot read."""
    session = open_session(path)
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {INPUT: images}), strict=True))


def open_session(path: pathlib.Path) -> Any:
    """An onnxruntime session on the CPU. Raises UsageError."""
    runtime = needed("onnxruntime", f"{path.name}")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors are C++'s, one class a status
        raise UsageError(f"onnxruntime cannot read {path}: {str(error)[:200]}") from error
