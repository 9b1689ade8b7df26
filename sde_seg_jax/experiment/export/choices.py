"""What an export may be asked for; imported by the command line, so nothing that takes long."""

from __future__ import annotations

OUTPUTS = ("classes", "probabilities", "disparity", "depth")
DTYPES = ("float32", "float16", "bfloat16", "int8")
# suffix of --output -> format; a folder is a SavedModel
FORMATS = {".onnx": "onnx", ".stablehlo": "stablehlo", "": "saved_model", ".tflite": "tflite"}
EXTRA = "pip install '.[export]'"  # brings what a format needs
