"""What explains an output folder: the classes as a file and as a picture."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from sde_seg_jax.display.sheets import legend
from sde_seg_jax.experiment.annotation.classes import classes_text
from sde_seg_jax.experiment.prediction.asking import PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.outputs import OUTPUTS
from sde_seg_jax.state_files.writing import write_picture, write_text

CLASSES, LEGEND = "classes.json", "legend.png"


def write(folder: pathlib.Path, predictors: Sequence[Predictor], kinds: Sequence[str]) -> None:
    """Writes classes.json (name, id and color, as the data set `folder` reads it) and legend.png, if classes are told.

    Raises OSError that names the file.
    """
    space = next((one.space for one in predictors if one.space is not None), None)
    if space is not None and any(OUTPUTS[kind].needs == PROBABILITIES for kind in kinds):
        write_text(folder / CLASSES, classes_text(space))
        write_picture(folder / LEGEND, legend(space, range(space.num_classes)))
