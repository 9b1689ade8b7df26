"""The public names. `import sde_seg_jax as sds` hands them out; only what is used is imported.

Functions and small records, no trainer: configurations are `ml_collections` dictionaries, images NumPy arrays.
What they compile is kept on disk for the next start (`compiled`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sde_seg_jax import compiled
from sde_seg_jax.reporter import CONSOLE, SILENT, Collected, Reporter

if TYPE_CHECKING:
    import pathlib

    from ml_collections import ConfigDict

    from sde_seg_jax.display import pictures
    from sde_seg_jax.display.curves import curves
    from sde_seg_jax.experiment.prediction.model import Model
    from sde_seg_jax.experiment.prediction.prediction import Prediction
    from sde_seg_jax.experiment.prediction.request import Protocol, Request
    from sde_seg_jax.experiment.run import Run
    from sde_seg_jax.geometry import camera
    from sde_seg_jax.geometry.warp import warp
    from sde_seg_jax.label_spaces import LabelSpace
    from sde_seg_jax.losses import photometric
    from sde_seg_jax.types import Batch, Intrinsics, Outputs, View

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
Path = str | os.PathLike


def _configuration(config: Any) -> ConfigDict:
    """Raises TypeError for anything but what `configure` returns."""
    from ml_collections import ConfigDict

    if isinstance(config, ConfigDict):
        return config
    raise TypeError(f"expected a configuration, got {config!r}; sds.configure(name, ...) makes one")


def configure(name: str, /, **changes: Any) -> ConfigDict:
    """A configuration by name, with values replaced.

    >>> config = sds.configure("my_config.py:supervised", **{"train.steps": 3, "data.prepared_dir": "prepared"})
    >>> config.train.steps
    3

    Args:
      name: a configuration that comes with the library ("quickstart:depth", "folder:quick_depth"), or a file of yours;
        the row stands after the colon (without one: the file's first).
      **changes: {"section.key": value}, or a whole section: {"losses": {"cross_entropy": 1.0}}. configs/base.py lists
        all keys with units.

    Raises:
      ValueError: an unknown file, row or key, naming the nearest, or a value of another type.
    """
    from sde_seg_jax.experiment.configuration.configure import configure as run

    return run(name, changes)


def prepare(config: ConfigDict, *, reporter: Reporter = CONSOLE) -> list[str]:
    """Prepares the data of a configuration, once: downsized, with random access, in config.data.prepared_dir.

    >>> sds.prepare(config, reporter=sds.SILENT)
    ['prepared/street_scenes/...']

    `train`, `start` and `evaluate` do this by themselves. Returns the folders: of the data, and of the source domain if
    there is one. Raises ValueError that names file and remedy for raw data that are missing or broken.
    """
    from sde_seg_jax.experiment.prepare import prepare_domains

    return prepare_domains(_configuration(config), reporter=reporter)


def train(config: ConfigDict, workdir: Path, *, reporter: Reporter = CONSOLE) -> Model:
    """Trains until config.train.steps, or goes on where the workdir's newest checkpoint ends; returns the network.

    >>> model = sds.train(config, "runs/x", reporter=sds.SILENT)
    >>> model.step
    3

    "@stage" in the configuration is the run of that name beside the workdir. Writes checkpoints, metrics.jsonl and
    TensorBoard files. Ctrl-C saves first.

    Raises:
      ValueError: the configuration cannot be used, or the workdir was begun with another one; names the remedy.
      sde_seg_jax.training.loop.Interrupted: after SIGINT or SIGTERM; everything is saved.
    """
    from sde_seg_jax.experiment.train import train as run

    compiled.keep()
    run(_configuration(config).copy_and_resolve_references(), os.fspath(workdir), reporter=reporter)
    return load(workdir)


def load(path: Path, weights: str = "student") -> Model:
    """A trained network from its workdir, from what cli.push wrote, or from cli.export's file, which only predicts.

    >>> model = sds.load("runs/x")
    >>> model.classes[:2]
    ('road', 'sidewalk')

    Args:
      path: the workdir of a run, or its checkpoints folder; hf://org/name or a folder of cli.push; FILE.onnx,
        .stablehlo, .tflite or the folder of a SavedModel.
      weights: "student", or "teacher", the exponential moving average, where there is one.

    Raises:
      ValueError: there is no checkpoint, it is damaged, or it has no such weights.
    """
    from sde_seg_jax.experiment.prediction.model import load as run

    compiled.keep()
    return run(path, weights)


def evaluate(
    path: Path,
    *,
    workdir: Path = "",
    split: str = "",
    protocol: Protocol | None = None,
    resolution: str = "prepared",
    aspect: str = "keep",
    reporter: Reporter = CONSOLE,
    **changes: Any,
) -> dict[str, Any]:
    """Scores of a trained network on the validation split, also written to metrics.json.

    >>> scores = sds.evaluate("runs/x", reporter=sds.SILENT)
    >>> 0 <= scores["miou"] <= 1
    True

    Segmentation: miou, pixel_accuracy, iou/<class>, in [0,1]; depth: abs_rel, rmse, ..., unscaled/..., and those of the
    best constant depth; `teacher/...` where there is one. calibration_error, temperature; protocol, which names how the
    scores came about. A score that is not defined is None.

    Args:
      path: the workdir of a run.
      workdir: where metrics.json and pictures go; by default the run's.
      split: another one to score on: "test", into metrics_test.json, without pictures.
      protocol: another than the published, `sds.Protocol(window=(512, 512), flip=True)`, into a file of its own.
      resolution: "prepared"; "trained" or "full": labels, or labels and images, at their original size.
      aspect: of "trained": images are seen in their own shape, as `Model.predict` has it; "trained": squeezed.
      reporter: is told what goes on.
      **changes: {"section.key": value} of the stored configuration: {"data.prepared_dir": "elsewhere"}.
    """
    from sde_seg_jax.experiment.configuration.configure import replace
    from sde_seg_jax.experiment.evaluate import evaluate as run
    from sde_seg_jax.experiment.scoring import PUBLISHED, Asked

    compiled.keep()
    asked = Asked(protocol or PUBLISHED.protocol, resolution, aspect)
    return run(os.fspath(path), os.fspath(workdir), lambda config: replace(config, changes), reporter, split, asked)


def report(path: Path) -> pathlib.Path:
    """Writes one self-contained HTML page about a run, or about a folder of runs; returns its path.

    >>> sds.report("runs").name
    'report.html'
    """
    from sde_seg_jax.experiment.report import write_report

    return write_report(os.fspath(path))


def start(config: ConfigDict, *, runs: Path | None = None, reporter: Reporter = CONSOLE) -> Run:
    """A run in your hands, for a training loop of your own.

    >>> run = sds.start(config, reporter=sds.SILENT)
    >>> for batch in run.batches:
    ...     run.state, logs = run.step(run.state, batch)
    >>> int(run.state.step), sorted(logs)[:2]
    (3, ['cross_entropy', 'gradient_norm'])
    >>> run.save("runs/mine")

    `run.compile(loss)` makes a step with another loss, `run.evaluate()` gives validation scores, `run.mix(batch)` what
    is mixed, `run.pictures(batch)` pictures of it.

    Args:
      config: a configuration; it is not changed.
      runs: the folder of runs where "@stage" is looked for.
      reporter: is told what goes on.

    Raises:
      ValueError: the configuration cannot be used; names key and remedy.
    """
    from sde_seg_jax.experiment.run import start as run

    compiled.keep()
    return run(_configuration(config), None if runs is None else os.fspath(runs), reporter)


def examples(config: ConfigDict, count: int = 4, fields: tuple[str, ...] = ("label",)) -> Batch:
    """Validation samples, spread evenly over the set, for pictures.

    >>> batch = sds.examples(config, count=2)
    >>> batch.image.shape, batch.label.dtype
    ((2, 64, 64, 3), dtype('uint8'))

    Args:
      config: says which prepared data.
      count: of samples; of a smaller set all.
      fields: besides image and intrinsics: label, depth (metres), neighbors, pose.
    """
    from sde_seg_jax.data.fields import OPTIONAL_FIELDS
    from sde_seg_jax.experiment.source_data import open_streams
    from sde_seg_jax.lookup import suggest

    unknown = [field for field in fields if field not in OPTIONAL_FIELDS]
    if unknown:
        raise ValueError(f"unknown field; {suggest(unknown[0], OPTIONAL_FIELDS)}")
    return open_streams(_configuration(config)).examples(fields, count)


def label_space(config: ConfigDict) -> LabelSpace:
    """The classes of a configuration: names and colors by class id.

    >>> sds.label_space(config).classes[0]
    'road'

    Raises ValueError if nothing tells them yet: prepare the data first.
    """
    from sde_seg_jax.experiment.spaces import space_of

    found = space_of(_configuration(config))
    if found is None:
        raise ValueError(f"nothing tells the classes of '{config.data.dataset}' yet: prepare its data first")
    return found


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
