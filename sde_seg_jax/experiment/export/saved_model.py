"""TensorFlow's SavedModel, by jax2tf: StableHLO in one operation (XlaCallModule), which TensorFlow compiles."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.graph import Graph
from sde_seg_jax.experiment.export.packages import FIXED, needed, told

MARK = "saved_model.pb"  # tells the folder of a SavedModel
PLATFORMS = ("cpu", "cuda", "tpu")


def tensorflow() -> Any:
    """TensorFlow, which sees no accelerator: jax has its memory."""
    tf = needed("tensorflow", "a SavedModel or .tflite file")
    for kind in ("GPU", "TPU"):
        tf.config.set_visible_devices([], kind)
    return tf


def write(graph: Graph, path: pathlib.Path, *, platforms: tuple[str, ...] = PLATFORMS) -> None:
    """Writes the folder: signature `serving_default`, image -> the outputs by name.

    Raises UsageError for a network that jax2tf cannot convert.
    """
    tf = tensorflow()
    from jax.experimental import jax2tf

    batch, height, width, channels = graph.example_shape
    sides = (height, width) if graph.input_size else (None, None)
    names = [str(batch) if graph.batch else "b", *(map(str, sides) if graph.input_size else ("h", "w")), str(channels)]
    function = jax2tf.convert(
        graph.function,
        polymorphic_shapes=[f"({', '.join(names)})"],
        with_gradient=False,
        native_serialization_platforms=platforms,
    )
    module = tf.Module()
    spec = tf.TensorSpec((graph.batch, *sides, channels), tf.uint8, name="image")
    module.predict = tf.function(function, autograph=False, input_signature=[spec])
    with told("jax2tf cannot convert this network", f"{FIXED}, or export FILE.stablehlo"):
        signature = module.predict.get_concrete_function()
    tf.saved_model.save(module, str(path), signatures=signature)


def read(path: pathlib.Path) -> Callable[[np.ndarray], Mapping[str, Any]]:
    """The folder as a function of images. Raises UsageError for a folder that TensorFlow cannot read."""
    tf = tensorflow()
    try:
        loaded = tf.saved_model.load(str(path))
        function = loaded.signatures["serving_default"]
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise UsageError(f"TensorFlow cannot read {path}: {' '.join(str(error).split())[:200]}") from error

    def run(images):
        return {name: value.numpy() for name, value in function(image=tf.constant(images)).items()}

    run.keeps = loaded  # its variables live as long as this
    return run
