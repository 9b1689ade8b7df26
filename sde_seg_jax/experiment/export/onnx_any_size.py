"""ONNX for images of any size: `resizing.resize_area` written in ONNX's own text, before the network.

jax2onnx has no name for what depends on a symbolic height; the numbers are the same.
"""

from __future__ import annotations

from typing import Any

from sde_seg_jax.experiment.export.packages import needed

SEEN = "resized"
HEAD = """<ir_version: {ir}, opset_import: ["" : {opset}]>
resize (uint8[B,H,W,3] {image}) => (uint8[B,{height},{width},3] {seen})
{{
  zero = Constant <value_int = 0> ()
  one = Constant <value_int = 1> ()
  first = Constant <value_ints = [0]> ()
  second = Constant <value_ints = [1]> ()
  sides = Shape ({image})
  x_0 = Cast <to = 1> ({image})
"""
# One axis: new pixel i covers [i old, (i + 1) old] in units of 1/new of an old pixel.
AXIS = """  axis_{axis} = Constant <value_int = {axis}> ()
  new_{axis} = Constant <value_int = {new}> ()
  old_{axis} = Gather (sides, axis_{axis})
  rows_{axis} = Range (zero, new_{axis}, one)
  columns_{axis} = Range (zero, old_{axis}, one)
  scaled_rows_{axis} = Mul (rows_{axis}, old_{axis})
  scaled_columns_{axis} = Mul (columns_{axis}, new_{axis})
  begins_{axis} = Unsqueeze (scaled_rows_{axis}, second)
  lies_{axis} = Unsqueeze (scaled_columns_{axis}, first)
  ends_{axis} = Add (begins_{axis}, old_{axis})
  stops_{axis} = Add (lies_{axis}, new_{axis})
  latest_{axis} = Max (begins_{axis}, lies_{axis})
  earliest_{axis} = Min (ends_{axis}, stops_{axis})
  both_{axis} = Sub (earliest_{axis}, latest_{axis})
  shared_{axis} = Max (both_{axis}, zero)
  shares_{axis} = Cast <to = 1> (shared_{axis})
  whole_{axis} = Cast <to = 1> (old_{axis})
  weights_{axis} = Div (shares_{axis}, whole_{axis})
  x_{axis} = Einsum <equation = "{equation}"> (weights_{axis}, x_{before})
"""
TAIL = """  rounded = Round (x_2)
  {seen} = Cast <to = 2> (rounded)
}}
"""


def before(model: Any, image: str, size: tuple[int, int]) -> Any:
    """The model, which takes images of `size` by the name `image`, for images of any size by the same name."""
    onnx = needed("onnx", "--input_size=any")
    height, width = size
    names = {"image": image, "seen": SEEN, "height": height, "width": width}
    text = HEAD.format(ir=model.ir_version, opset=model.opset_import[0].version, **names)
    text += AXIS.format(axis=1, before=0, new=height, equation="ih,bhwc->biwc")
    text += AXIS.format(axis=2, before=1, new=width, equation="jw,bhwc->bhjc")
    resize = onnx.parser.parse_model(text + TAIL.format(**names))
    network = onnx.compose.add_prefix(model, "network/", rename_inputs=True, rename_outputs=False)
    return onnx.compose.merge_models(resize, network, io_map=[(SEEN, f"network/{image}")], name="sde_seg_jax")
