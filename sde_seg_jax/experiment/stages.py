"""One stage of a pipeline or table: selected, or trained and evaluated, unless that is done."""

from __future__ import annotations

import pathlib
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.experiment.begun import keep_places, refuse_other_config, steps_done
from sde_seg_jax.experiment.config import as_json
from sde_seg_jax.experiment.evaluate import evaluate
from sde_seg_jax.experiment.evaluated import lacks_pictures, scores_in
from sde_seg_jax.experiment.finite_numbers import check_numbers
from sde_seg_jax.experiment.selection.select import finished, select
from sde_seg_jax.experiment.train import train
from sde_seg_jax.reporter import SILENT, Reporter


def run_stage(
    config: config_dict.ConfigDict, folder: pathlib.Path, title: str, reporter: Reporter = SILENT, split: str = ""
) -> dict[str, Any]:
    """Trains and evaluates one stage unless that is done; returns its scores. A selection chooses, and has no scores.

    split: one to score on beside the validation split, whose scores are returned.
    Raises UsageError if the folder was begun with another configuration, or a number of this one cannot be.
    """
    check_numbers(config)
    refuse_other_config(as_json(config), folder)
    if "select" in config:
        if finished(config, folder):
            reporter.tell(f"{title}: {config.select.steps[-1]} samples are chosen in {folder}")
        else:
            select(config, folder, reporter)
        return {}
    if steps_done(folder) < config.train.steps:
        train(config, str(folder), title, reporter)
    else:
        reporter.tell(f"{title}: {config.train.steps} steps are done in {folder}")
    scores = _validate(config, folder, title, reporter)
    if split and scores_in(folder, config.train.steps, split) is None:
        reporter.tell(f"{title}: evaluating on split {split}")
        _evaluate(config, folder, reporter, split)
    return scores


def _evaluate(config: config_dict.ConfigDict, folder: pathlib.Path, reporter: Reporter, split: str = ""):
    return evaluate(str(folder), override=lambda stored: keep_places(stored, config), reporter=reporter, split=split)


def _validate(config: config_dict.ConfigDict, folder: pathlib.Path, title: str, reporter: Reporter) -> dict[str, Any]:
    """Scores and pictures of the validation split, unless they are there."""
    scores = scores_in(folder, config.train.steps)
    if scores is not None and not lacks_pictures(folder):
        return scores
    reporter.tell(f"{title}: evaluating")
    try:
        return _evaluate(config, folder, reporter)
    except (ValueError, OSError) as error:
        if scores is None:
            raise
        reporter.warn(f"{title}: its pictures cannot be drawn again: {error}")  # the scores are known all the same
        return scores


def headline(scores: dict[str, dict]) -> list[str]:
    """The lines that the quickstart ends with."""
    lines = []
    for stage, found in scores.items():
        if found.get("abs_rel") is not None:
            error, constant = found["abs_rel"], found.get("constant/abs_rel")
            share = f"; best constant depth {constant:.3f} ({error / constant:.2f} of it)" if constant else ""
            lines.append(f"{stage:<16} AbsRel {error:.3f}{share}")
        if found.get("verdict"):
            lines.append(f"{stage:<16} {found['verdict']}")
        if found.get("miou") is not None:
            accuracy = found.get("pixel_accuracy")
            pixels = "" if accuracy is None else f", pixel accuracy {accuracy:.2%}"
            lines.append(f"{stage:<16} mIoU {found['miou']:.2%}{pixels}")
    return lines
