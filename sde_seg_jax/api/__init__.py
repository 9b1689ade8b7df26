"""The public names. `import sde_seg_jax as sds` hands them out; only what is used is imported.

Functions and small records, no trainer: configurations are `ml_collections` dictionaries, images NumPy arrays.
What they compile is kept on disk for the next start (`compiled`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sde_seg_jax.api.parts import examples, label_space, start
from sde_seg_jax.api.runs import configure, evaluate, load, prepare, report, train
from sde_seg_jax.reporter import CONSOLE, SILENT, Collected, Reporter

if TYPE_CHECKING:
    from sde_seg_jax.display import pictures
    from sde_seg_jax.display.curves import curves
    from sde_seg_jax.experiment.prediction.model import Model
    from sde_seg_jax.experiment.prediction.prediction import Prediction
    from sde_seg_jax.experiment.prediction.request import Protocol, Request
    from sde_seg_jax.experiment.run import Run
    from sde_seg_jax.geometry import camera
    from sde_seg_jax.geometry.warp import warp
    from sde_seg_jax.losses import photometric
    from sde_seg_jax.types import Intrinsics, Outputs, View

__all__ = [
    "CONSOLE",
    "SILENT",
    "Collected",
    "Intrinsics",
    "Model",
    "Outputs",
    "Prediction",
    "Protocol",
    "Reporter",
    "Request",
    "Run",
    "View",
    "camera",
    "configure",
    "curves",
    "evaluate",
    "examples",
    "label_space",
    "load",
    "photometric",
    "pictures",
    "prepare",
    "report",
    "start",
    "train",
    "warp",
]

HOMES = {  # name -> the module that is imported when it is first used
    "Model": "experiment.prediction.model",
    "Prediction": "experiment.prediction.prediction",
    "Protocol": "experiment.prediction.request",
    "Request": "experiment.prediction.request",
    "Run": "experiment.run",
    "Intrinsics": "types",
    "Outputs": "types",
    "View": "types",
    "warp": "geometry.warp",
    "curves": "display.curves",
}
MODULES = {"camera": "geometry.camera", "photometric": "losses.photometric", "pictures": "display.pictures"}


def __getattr__(name: str) -> Any:
    """Records, functions and modules, imported when they are first used."""
    import importlib

    if name in MODULES:
        return importlib.import_module(f"sde_seg_jax.{MODULES[name]}")
    if name in HOMES:
        return getattr(importlib.import_module(f"sde_seg_jax.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
