"""StableHLO, by `jax.export`: one file for CPU, CUDA and TPU, which any later jax of its promise of months reads."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.graph import Graph
from sde_seg_jax.experiment.export.packages import FIXED, told
from sde_seg_jax.state_files.writing import write_bytes

PLATFORMS = ("cpu", "cuda", "tpu")


def write(graph: Graph, path: pathlib.Path, *, vjp_order: int = 0) -> None:
    """Writes the graph; with `vjp_order` also so many orders of its derivatives by the image, which is float32 then.

    Raises UsageError for a network that jax.export cannot convert.
    """
    batch, height, width, channels = graph.example_shape
    names = [batch if graph.batch else "b", *((height, width) if graph.input_size else ("h", "w"))]
    shape = jax.export.symbolic_shape(", ".join(map(str, (*names, channels))))
    image = jax.ShapeDtypeStruct(shape, jnp.float32 if vjp_order else jnp.uint8)
    with told("jax.export cannot convert this network", f"{FIXED}, or export a folder (SavedModel)"):
        exported = jax.export.export(jax.jit(graph.function), platforms=PLATFORMS)(image)
        content = bytes(exported.serialize(vjp_order=vjp_order))
    write_bytes(path, content)


def read(path: pathlib.Path) -> Callable[[np.ndarray], Mapping[str, Any]]:
    """The file as a function of images. Raises UsageError for a file that jax cannot read."""
    try:
        exported = jax.export.deserialize(bytearray(path.read_bytes()))
    except OSError:
        raise
    except Exception as error:  # flatbuffers has no error of its own
        raise UsageError(f"{path} is no file of jax.export, or of another version of jax: export again") from error
    run, dtype = jax.jit(exported.call), exported.in_avals[0].dtype
    return lambda images: jax.device_get(run(images.astype(dtype)))
