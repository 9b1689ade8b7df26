"""An exported file (ONNX, StableHLO, SavedModel, LiteRT) to hold in one's hands as a trained network is."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from ml_collections import config_dict

from sde_seg_jax.evaluation.protocols.protocol import WHOLE
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export import formats
from sde_seg_jax.experiment.export.record import read_record
from sde_seg_jax.experiment.prediction.asking import DISPARITY, PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.model import Image, Model
from sde_seg_jax.experiment.prediction.request import TRAINED, Request
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.label_spaces import LabelSpace

BATCH = 4  # images a call, where any number may come


@dataclasses.dataclass(frozen=True, repr=False)
class ExportedModel(Model):
    """A file that `cli.export` wrote; `load_exported` makes one.

    Attributes:
      run: uint8 images [B,H,W,3] -> {output: array}.
      record: what the file says of itself.
    """

    run: Callable[[np.ndarray], Mapping[str, Any]]
    record: Mapping[str, Any]

    def __repr__(self) -> str:
        height, width = self.size
        return (
            f"ExportedModel({self.record['format']}, {', '.join(self.record['outputs'])}, for {width}x{height} pixels)"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by class id."""
        return self.space.classes if self.space else ()

    def predictors(self, request: Request = Request(), gives: tuple[str, ...] = ()) -> list[Predictor]:
        """As of a trained network, but the file decides what it sees: windows, scales and resolution are not asked for.

        Raises UsageError for those.
        """
        if request.protocol != WHOLE or request.resolution != TRAINED:
            raise UsageError(
                "an exported file sees the whole image at the size that it was made for: leave out --window, --scales, "
                "--flip and --resolution, or predict with the run's folder"
            )
        outputs = self.record["outputs"]
        has = [PROBABILITIES] if PROBABILITIES in outputs else []
        has += [DISPARITY] if DISPARITY in outputs or "depth" in outputs else []
        if not has:
            raise UsageError("this file gives class ids alone; export it with --outputs=probabilities, too")
        wanted = tuple(name for name in has if not gives or name in gives)
        if not wanted:
            return []
        taken = self.record.get("input_size")

        def call(images: np.ndarray) -> dict[str, np.ndarray]:
            found = self._called(images)
            if request.temperature != 1 and PROBABILITIES in found:
                found[PROBABILITIES] = at_temperature(found[PROBABILITIES], request.temperature)
            return {name: found[name] for name in wanted}

        return [
            Predictor(
                call=call,
                size_of=lambda image: tuple(taken) if taken else image,
                gives=wanted,
                space=self.space if PROBABILITIES in wanted else None,
                depths=self._depths,
                batch=self.record.get("batch") or 0,
            )
        ]

    def features(self, image: Image, level: int = 3) -> np.ndarray:
        """Raises UsageError: a file holds no maps but its outputs."""
        raise UsageError(
            "an exported file gives its outputs alone, no feature maps: load the run's folder, or what cli.push wrote"
        )

    @property
    def _depths(self) -> DepthRange:
        return DepthRange(*self.record["depth_range"])

    def _called(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The file's outputs, and disparity where it gives depth alone: 1 / depth runs linearly from far to near."""
        size = self.record.get("batch") or len(images)
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            full = np.concatenate([part, part[-1:].repeat(size - len(part), axis=0)])
            parts.append({name: np.asarray(values)[: len(part)] for name, values in self.run(full).items()})
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if "depth" in found and DISPARITY not in found:
            far, near = 1 / self._depths.max_depth, 1 / self._depths.min_depth
            found[DISPARITY] = (1 / found["depth"] - far) / (near - far)
        return found


def at_temperature(probabilities: Float[np.ndarray, "... C"], temperature: float) -> Float[np.ndarray, "... C"]:
    """softmax(logits / T) of softmax(logits), since that is p ** (1 / T), normalised.

    By logarithms minus the largest: for a small T powers alone are all zero.
    """
    with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, whose power is 0 again
        scaled = np.log(probabilities) / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def is_exported(path: str | os.PathLike) -> bool:
    """Is this an exported file, or the folder of a SavedModel? By its name, and what the folder holds."""
    place = pathlib.Path(path).expanduser()
    return (place / formats.MARK).is_file() if place.is_dir() else place.suffix in formats.SUFFIXES


def load_exported(path: str | os.PathLike, weights: str = "student") -> ExportedModel:
    """A file or folder that `cli.export` wrote, with the record beside it.

    Raises:
      UsageError: there is no such file, it cannot be read, its record is missing, or other weights are asked for.
    """
    place = pathlib.Path(path).expanduser()
    if not place.exists():
        raise UsageError(f"--checkpoint={path}: no such file; cli.export writes it")
    record = read_record(place)
    if record["weights"] != weights:
        raise UsageError(f"{path} holds the {record['weights']}: give --weights={record['weights']}, or export again")
    space = None
    if record["classes"]:
        colors = tuple(tuple(color) for color in record["colors"])
        space = LabelSpace(record["label_space"], tuple(record["classes"]), colors)
    lowest, highest = record["depth_range"]
    config = {
        "task": {"name": record["task"], "min_depth": lowest, "max_depth": highest},
        "model": {"encoder": record["encoder"]},
        "data": {"size": tuple(record["size"])},
        "eval": {"batch_size": record.get("batch") or BATCH},
    }
    trained = Trained(None, None, config_dict.ConfigDict(config), record["step"])  # type: ignore[arg-type]
    return ExportedModel(trained, space, formats.read(place), record)
