"""Which stages a pipeline has, and what it looks at before them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import open_data
from sde_seg_jax.data.spec import find
from sde_seg_jax.experiment.begun import steps_done
from sde_seg_jax.experiment.config import UsageError, call
from sde_seg_jax.experiment.doctor import text
from sde_seg_jax.experiment.doctor.check import check, find_target, notes_of, problems_of
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.selection.select import finished
from sde_seg_jax.reporter import SILENT, Reporter

LOOKED_AT = 16  # samples of each split


def is_labeled(config: config_dict.ConfigDict) -> bool:
    """Whether the raw files have labels now; data with classes of their own always have."""
    spec = find(config.data.dataset)
    return spec.space is not None or bool(spec.read_space(pathlib.Path(config.data.raw_dir).expanduser()).num_classes)


def stages_of(config: config_dict.ConfigDict) -> tuple[str, ...]:
    """pipeline.stages; where there are no labels yet, pipeline.unlabeled. Raises UsageError if there are no files."""
    spec, raw_dir = find(config.data.dataset), config.data.raw_dir
    if spec.space is None and not (raw_dir and pathlib.Path(raw_dir).expanduser().is_dir()):
        raise UsageError(f"config.data.raw_dir={raw_dir!r} is no folder: give --config.data.raw_dir=DIR, your files")
    if "unlabeled" in config.pipeline and not is_labeled(config):
        return tuple(config.pipeline.unlabeled)
    return tuple(config.pipeline.stages)


def look(config: config_dict.ConfigDict) -> list[str]:
    """Lines on the raw files: what is wrong with them, or that they are healthy."""
    target = find_target(config=config, raw_dir=config.data.raw_dir)
    found = check(target, LOOKED_AT, 0, False)
    problems, notes = problems_of(found), [f"note      {note}" for note in notes_of(found)]
    if not problems:
        return [*notes, f"{target.dataset}: looked at {LOOKED_AT} samples of each split, healthy"]
    return [
        *notes,
        *text.problem_lines(problems),
        f"{target.dataset}: look closer with cli.doctor; going on all the same",
    ]


def limit_selection(config: config_dict.ConfigDict, title: str, reporter: Reporter = SILENT) -> config_dict.ConfigDict:
    """The configuration of a stage; one that selects asks for no more frames than its data have."""
    if "select" not in config:
        return config
    prepare_data(config, reporter=reporter)
    available, wanted = len(call("data", open_data, config.data).source("train", ()).names), config.select.steps[-1]
    if wanted <= available:
        return config
    reporter.tell(f"{title}: there are {available} frames to choose from, not {wanted}: all are put in order")
    fitting = config_dict.ConfigDict(config.to_dict())
    fitting.select.steps = (*(step for step in config.select.steps if step < available), available)
    return fitting


def outlook(configs: Mapping[str, config_dict.ConfigDict], folder: pathlib.Path) -> str:
    """One line on what the stages have before them; configs: by name."""

    def work(name: str, config: config_dict.ConfigDict) -> str:
        if "select" in config:
            return "done" if finished(config, folder / name) else "chooses frames"
        left = config.train.steps - steps_done(folder / name)
        return f"{left} steps" if left > 0 else "done"

    return "stages: " + ", ".join(f"{name} ({work(name, config)})" for name, config in configs.items())
