"""ONNX in int8: onnxruntime's static quantisation, convolutions with weights a channel and measured activations."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.experiment.export import onnx
from sde_seg_jax.experiment.export.graph import Graph
from sde_seg_jax.experiment.export.packages import needed

QUANTIZED = ("Conv",)  # resizing, softmax and what comes after stay in float32


class Calibration:
    """Images one by one, as onnxruntime asks for them."""

    def __init__(self, images: Sequence[np.ndarray], batch: int):
        self._images = iter(images)
        self._batch = batch

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next feed; None after the last."""
        image = next(self._images, None)
        return None if image is None else {onnx.INPUT: np.repeat(image[None], self._batch, axis=0)}


def write_int8(graph: Graph, path: pathlib.Path, record: Mapping[str, Any], images: Sequence[np.ndarray]) -> None:
    """Writes the graph with int8 convolutions, calibrated on the images."""
    quantization = needed("onnxruntime.quantization", "--dtype=int8")
    model = onnx.to_model(graph)
    with tempfile.TemporaryDirectory() as folder:
        plain, folded, quantized = (pathlib.Path(folder) / f"{name}.onnx" for name in ("float", "folded", "int8"))
        plain.write_bytes(model.SerializeToString())
        with onnx.quiet():  # it advises steps that are of no use here
            # Kernels are transposed in the graph: only once that is done beforehand are they stored as int8.
            quantization.quant_pre_process(plain, folded, skip_symbolic_shape=True)
            quantization.quantize_static(
                folded,
                quantized,
                Calibration(images, graph.batch or 1),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                per_channel=True,
                reduce_range=True,  # 7 bits of weight: with 8, processors without VNNI overflow
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        model = needed("onnx", "--dtype=int8").load(quantized)
    onnx.note(model, record)
    path.write_bytes(model.SerializeToString())
