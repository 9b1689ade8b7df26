"""What an evaluation leaves beside a run: pictures, then a list of them, and metrics.json last.

So where metrics.json tells of a step, everything else of that step is there, however the process ended.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from sde_seg_jax.experiment.begun import read_json
from sde_seg_jax.state_files.pictures import is_whole
from sde_seg_jax.state_files.schemas import DRAWN as DRAWN_SCHEMA
from sde_seg_jax.state_files.schemas import SCORES
from sde_seg_jax.state_files.writing import write_json, write_picture

RESULT = "metrics.json"  # of the validation split; of another one: `result_name`
PICTURES = "pictures"
OF_TRAINING = "training_"  # begins the names of pictures that the training draws
DRAWN = "evaluated.json"  # in PICTURES: {"pictures": names of the files}; runs of older versions lack it


def write_pictures(folder: pathlib.Path, pictures: Mapping[str, np.ndarray]) -> None:
    """Writes RGB uint8 pictures by name, and which they are. Raises OSError that names the file."""
    for name, picture in pictures.items():
        write_picture(folder / PICTURES / f"{name}.png", picture)
    write_json(folder / PICTURES / DRAWN, {"pictures": [f"{name}.png" for name in pictures]})


def result_name(split: str = "", protocol: str = "") -> str:
    """The file of the scores on a split, "": the configuration's validation split, under a protocol, "": the published.

    `protocol` is a part of a file's name.
    """
    return "_".join(filter(None, ("metrics", split, protocol))) + ".json"


def scores_in(folder: pathlib.Path, step: int, split: str = "") -> dict[str, Any] | None:
    """The scores of a folder on a split, if they are of this step. Raises UsageError for damaged ones."""
    path = folder / result_name(split)
    scores = read_json(path, SCORES) if path.is_file() else {}
    return scores if scores.get("step") == step else None


def lacks_pictures(folder: pathlib.Path) -> bool:
    """Whether a picture that the evaluation drew is missing or cut off; without a list: whether there is none at all.

    Raises UsageError for a damaged list.
    """
    path = folder / PICTURES / DRAWN
    if path.is_file():
        return not all(is_whole(folder / PICTURES / name) for name in read_json(path, DRAWN_SCHEMA)["pictures"])
    return all(found.stem.startswith(OF_TRAINING) for found in (folder / PICTURES).glob("*.png"))
