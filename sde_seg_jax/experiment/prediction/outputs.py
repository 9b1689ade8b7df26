"""What is written of a prediction: files by kind, whole or not at all."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from sde_seg_jax.display import pictures
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.asking import DISPARITY, PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.lookup import suggest

DEPTH_UNIT = 256.0  # 16-bit value of depth 1, as KITTI stores it
UNFINISHED = ".tmp"  # ends the name of a file that is being written


class Output(NamedTuple):
    """One thing that can be asked for.

    Attributes:
      needs: the map that it is made of.
      files: what follows "NAME_" of each file.
      make: the arrays of these files, in order.
      usual: is it written unless something else is asked for?
    """

    needs: str
    files: tuple[str, ...]
    make: Callable[[Prediction], Sequence[np.ndarray]]
    usual: bool = False


def _depth(found: Prediction) -> Sequence[np.ndarray]:
    values = np.clip(found.depth * DEPTH_UNIT + 0.5, 1, 65535).astype(np.uint16)
    return values, pictures.disparity_picture(found.disparity)


def _entropy(found: Prediction) -> Sequence[np.ndarray]:
    return np.round(255 * found.entropy).astype(np.uint8), pictures.heat_picture(found.entropy, (0.0, 1.0))


OUTPUTS = {
    "classes": Output(PROBABILITIES, ("classes.png",), lambda found: [found.classes], usual=True),
    "overlay": Output(PROBABILITIES, ("overlay.png",), lambda found: [found.overlay()], usual=True),
    "depth": Output(DISPARITY, ("depth.png", "depth_color.png"), _depth, usual=True),
    "entropy": Output(PROBABILITIES, ("entropy.png", "entropy_color.png"), _entropy),
    "probabilities": Output(
        PROBABILITIES, ("probabilities.npy",), lambda found: [found.probabilities.astype(np.float16)]
    ),
}


def chosen_outputs(names: Iterable[str], predictors: Sequence[Predictor]) -> tuple[str, ...]:
    """The outputs that were asked for; without any those that are usual and that the networks can give.

    Raises UsageError for an unknown one, and for one that the networks cannot give.
    """
    has = {part for one in predictors for part in one.gives}
    names = tuple(dict.fromkeys(names))
    for name in names:
        if name not in OUTPUTS:
            raise UsageError(f"unknown output '{name}'; {suggest(name, OUTPUTS)}")
        if OUTPUTS[name].needs not in has:
            remedy = "give one that does as --depth_checkpoint=DIR" if OUTPUTS[name].needs == DISPARITY else ""
            lacks = "depth" if OUTPUTS[name].needs == DISPARITY else "classes"
            raise UsageError(
                f"--outputs={name}: the checkpoint predicts no {lacks}; "
                f"{remedy or 'give a segmentation run as --checkpoint=DIR'}, or leave '{name}' out"
            )
    return names or tuple(name for name, kind in OUTPUTS.items() if kind.usual and kind.needs in has)


def files_of(found: Prediction, names: Sequence[str]) -> dict[str, np.ndarray]:
    """What follows "NAME_" of each file that is written -> its array, at the image's size."""
    written = {}
    for name in names:
        written |= dict(zip(OUTPUTS[name].files, OUTPUTS[name].make(found), strict=True))
    return written


def write(folder: pathlib.Path, name: str, files: Mapping[str, np.ndarray]) -> None:
    """Writes NAME_<file> for each of them. Raises OSError that names the file if it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    for ending, values in files.items():
        path = folder / f"{name}_{ending}"
        temporary = path.with_name(path.name + UNFINISHED)
        try:
            with temporary.open("wb") as file:  # not flushed to the disk one by one, which takes longer than a network
                if path.suffix == ".npy":
                    np.save(file, values)
                else:
                    file.write(_png(values))
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _png(picture: np.ndarray) -> bytes:
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    return cv2.imencode(".png", stored)[1].tobytes()
