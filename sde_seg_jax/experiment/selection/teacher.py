"""How good the depth network is that a selection asks: what its own evaluation said."""

from __future__ import annotations

import pathlib

from sde_seg_jax.experiment.begun import read_json
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.evaluated import RESULT
from sde_seg_jax.state_files.schemas import SCORES
from sde_seg_jax.training.checkpoints import FOLDER


def quality(checkpoint: str) -> str:
    """One line; a depth that explains nothing chooses no better than chance."""
    folder = pathlib.Path(checkpoint).expanduser()
    folder = folder.parent if folder.name == FOLDER else folder
    remedy = f"cli.evaluate --checkpoint={folder} tells"
    try:
        scores = read_json(folder / RESULT, SCORES) if (folder / RESULT).is_file() else {}
    except UsageError:
        scores = {}
    if scores.get("verdict"):
        return f"teacher {folder.name}: {scores['verdict']}"
    error, constant = scores.get("abs_rel"), scores.get("constant/abs_rel")
    if error is None:
        return f"teacher {folder.name}: how good its depth is has not been looked at; {remedy}"
    share = f", {error / constant:.2f} of the best constant depth's" if constant else ""
    return f"teacher {folder.name}: depth error (AbsRel) {error:.3f}{share}"
