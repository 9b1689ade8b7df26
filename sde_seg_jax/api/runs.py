"""A configuration becomes a run: made by name, prepared, trained, scored, reported, loaded. As the commands do it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sde_seg_jax import compiled
from sde_seg_jax.api.arguments import Path, checked
from sde_seg_jax.reporter import CONSOLE, Reporter

if TYPE_CHECKING:
    import pathlib

    from ml_collections import ConfigDict

    from sde_seg_jax.experiment.prediction.model import Model
    from sde_seg_jax.experiment.prediction.request import Protocol


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

    return prepare_domains(checked(config), reporter=reporter)


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
    run(checked(config).copy_and_resolve_references(), os.fspath(workdir), reporter=reporter)
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
