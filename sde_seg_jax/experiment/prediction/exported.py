"""An exported file (ONNX, StableHLO, SavedModel, LiteRT) to hold in one's hands as a trained network is."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import cv2
import numpy as np

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export import formats
from sde_seg_jax.experiment.export.record import read_record
from sde_seg_jax.experiment.export.saved_model import MARK
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.geometry.depth import disparity_to_depth
from sde_seg_jax.label_spaces import LabelSpace


def is_exported(path: str | os.PathLike) -> bool:
    """Is this an exported file, or the folder of a SavedModel? By its name, and what the folder holds."""
    place = pathlib.Path(path).expanduser()
    return (place / MARK).is_file() if place.is_dir() else place.suffix in (".onnx", ".stablehlo", ".tflite")


@dataclasses.dataclass(frozen=True, repr=False)
class ExportedModel:
    """A file that `cli.export` wrote; `load_exported` makes one.

    Attributes:
      run: uint8 images [B,H,W,3] -> {output: array}.
      record: what the file says of itself.
      space: its classes; none for one that gives depth alone.
    """

    run: Callable[[np.ndarray], Mapping[str, Any]]
    record: Mapping[str, Any]
    space: LabelSpace | None

    def __repr__(self) -> str:
        height, width = self.size
        return f"ExportedModel({self.record['format']}, {', '.join(self.record['outputs'])}, for {width}x{height} pixels)"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by class id."""
        return self.space.classes if self.space else ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels that the network in the file sees."""
        return tuple(self.record["size"])

    def predict(self, image: Any) -> Prediction | list[Prediction]:
        """What the file says of an image, or of each of several, as `Model.predict`."""
        if isinstance(image, (list, tuple)) or getattr(image, "ndim", 3) == 4:
            return [self._one(one) for one in cast("Sequence[Any]", image)]
        return self._one(image)

    def _one(self, image: Any) -> Prediction:
        from sde_seg_jax.experiment.prediction.model import as_array

        image = as_array(image)
        wanted = self.record.get("input_size")
        seen = cv2.resize(image, tuple(wanted[::-1]), interpolation=cv2.INTER_AREA) if wanted else image
        found = self.run(np.repeat(seen[None], self.record.get("batch") or 1, axis=0))
        maps = {name: np.asarray(values)[0] for name, values in found.items()}
        if "classes" not in maps and "probabilities" in maps:
            maps["classes"] = maps["probabilities"].argmax(axis=-1).astype(np.uint8)
        disparity = depth = None
        if "disparity" in maps or "depth" in maps:
            least, most = self.record["depth_range"]
            if "disparity" not in maps:  # 1 / depth runs linearly from far to near
                maps["disparity"] = (1 / maps["depth"] - 1 / most) / (1 / least - 1 / most)
            disparity = cv2.resize(maps["disparity"], image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            depth = np.asarray(disparity_to_depth(disparity, least, most))  # type: ignore[arg-type]
        return Prediction(image, self.space, maps.get("classes"), maps.get("probabilities"), disparity, depth)


def load_exported(path: str | os.PathLike, weights: str = "student") -> ExportedModel:
    """A file or folder that `cli.export` wrote, with the record beside it.

    Raises:
      UsageError: there is no such file, it cannot be read, its record is missing, or other weights are asked for.
    """
    place = pathlib.Path(path).expanduser()
    if not place.exists():
        raise UsageError(f"--checkpoint={path}: no such file")
    record = read_record(place)
    if weights != "student" and record.get("weights", "student") != weights:
        raise UsageError(f"{path} holds the {record.get('weights')}; export with --weights={weights}")
    space = None
    if record["classes"]:
        colors = tuple(tuple(color) for color in record["colors"])
        space = LabelSpace(record.get("label_space", ""), tuple(record["classes"]), colors)
    return ExportedModel(formats.read(place), record, space)
