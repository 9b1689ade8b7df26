"""The features of a selection computed by many machines that share its folder, each its part."""

from __future__ import annotations

import pathlib

from filelock import FileLock
from ml_collections import config_dict

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.selection.plan import BOTH, CORESET, DIVERSITY
from sde_seg_jax.experiment.selection.select import begin, check_selection
from sde_seg_jax.experiment.selection.work import FEATURES
from sde_seg_jax.part import Part
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.training.interrupted import Interrupted

NOTES = "parts.lock"  # held while config.json and facts.json are compared and written


def select_part(
    config: config_dict.ConfigDict, workdir: str | pathlib.Path, part: Part, reporter: Reporter = SILENT
) -> None:
    """Computes the features of one part of the samples; finished files are kept. The selection itself comes later.

    Raises UsageError as `select`, and if the criterion looks at no features; Interrupted.
    """
    folder = pathlib.Path(workdir).expanduser()
    plan = check_selection(config)
    if not plan.farthest:
        raise UsageError(
            f"criterion {plan.criterion} looks at no features, of which there could be parts: leave --part out "
            f"({DIVERSITY}, {BOTH} and {CORESET} do)"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / NOTES):
            work = begin(config, plan, folder, reporter)
        there = work.features_of(part)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; the same command goes on where it stopped, in {folder}") from None
    left = there.count(False)
    reporter.tell(f"part {part}: {len(there) - left} of {len(there)} files of features are in {folder / FEATURES}")
    reporter.tell(
        f"{left} are missing: wait for the other parts, or start those again that did not end well"
        if left
        else "all are there: choose by the same command without --part"
    )
