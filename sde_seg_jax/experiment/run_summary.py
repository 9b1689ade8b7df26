"""What the report tells of one run: its files, and what a reader should know before believing its numbers."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.finished import find_finished, metadata
from sde_seg_jax.display.summary import RunSummary
from sde_seg_jax.evaluation.bootstrap import clips_of
from sde_seg_jax.evaluation.video import status
from sde_seg_jax.experiment.begun import CONFIG, read_json, steps_done
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.evaluated import OF_TRAINING, PICTURES, RESULT
from sde_seg_jax.experiment.rounds import later_round
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.state_files.pictures import read_picture
from sde_seg_jax.state_files.reading import DamagedFile
from sde_seg_jax.state_files.schemas import CONFIG as CONFIG_SCHEMA
from sde_seg_jax.state_files.schemas import SCORES
from sde_seg_jax.training.log import METRICS, read_metrics

ROLES = {"depth": "depth", "supervised": "baseline", "semi_supervised": "ours", "domain_adaptation": "ours"}
UNLABELED_TASKS = ("depth", "student_depth")  # which read no labels
CAPTIONS = {
    "segmentation": "Validation images, ground truth and prediction",
    "depth": "Validation images, learnt disparity (near is bright) and, where it is known, true inverse depth",
    "training_depth": "The last training batch: disparity, warped neighbors, and where the warp counts (white)",
    "training_mixing": "The last training batch: each image is pasted on the next where the mask is white",
    "training_cross_mixing": "The last training batch: each source image is pasted on a target image, mask white",
    "training_matching": "Target crops, the source crops that were chosen for them, and random ones (near is bright)",
    "training_prediction": "The last training batch: ground truth and prediction",
}


def summarize(folder: pathlib.Path) -> RunSummary:
    """One run's files as the report shows them; a damaged picture is left out with a sentence about it.

    Raises ValueError that names any other file that is damaged.
    """
    config = read_json(folder / CONFIG, CONFIG_SCHEMA)
    lines = read_metrics(str(folder))
    result = folder / RESULT
    final = read_json(result, SCORES) if result.is_file() else None
    notes = [*_stopped(config, folder), *_source_of_scores(final, lines, folder)]
    final = _of_training(lines) if final is None else final
    splits = _prepared(config)
    if config["task"]["name"] not in UNLABELED_TASKS:
        notes += validation_notes(splits.get(config["data"].get("val_split", "val")))
    later = later_round(folder)
    if later is not None:
        notes.append(
            f"an earlier round: labels or frames have changed since; {later.name} is trained on the newer ones"
        )
    pictures, left_out = _pictures(folder)
    labels, images = _labels(config, splits)
    return RunSummary(
        name=folder.name,
        metrics=folder / METRICS,
        config=config,
        final=final,
        pictures=pictures,
        left_out=left_out,
        role=ROLES.get(config["task"]["name"], "") if later is None else "",
        seed=config["seed"],
        labels=labels,
        images=images,
        seconds=lines[-1].get("seconds") if lines else None,
        space=_space(config, folder),
        notes=notes,
        verdict=(final or {}).get("verdict", ""),
        verdict_status=status((final or {}).get("video/explained") or 0.0),
    )


def validation_notes(split: Mapping[str, Any] | None) -> list[str]:
    """A warning where few labelled samples, or those of one clip, say what a segmentation is worth.

    split: {"names", "labeled"} of the prepared validation split; None: not known.
    """
    if split is None:
        return []
    names = [name for name, labeled in zip(split["names"], split["labeled"], strict=True) if labeled]
    if len(names) == 1:
        return ["validated on one image: its mIoU says little; label more, or raise dataset.val_fraction"]
    clips = set(clips_of(names))
    if len(clips) == 1 and "" not in clips:
        return [
            f"all {len(names)} validation images are of one clip, '{clips.pop()}', and look alike: other clips may do "
            "worse; name several in dataset.val_clips"
        ]
    return []


def _stopped(config: Mapping[str, Any], folder: pathlib.Path) -> list[str]:
    wanted, done = config.get("train", {}).get("steps"), steps_done(folder)
    if not isinstance(wanted, int) or done >= wanted:
        return []
    if not done:
        return [f"nothing has been saved of {wanted} steps: it has just begun, or stopped before its first checkpoint"]
    return [f"stopped early, after {done} of {wanted} steps, or still training; the same command goes on"]


def _source_of_scores(final: Mapping[str, Any] | None, lines: Sequence[Mapping], folder: pathlib.Path) -> list[str]:
    """Which step the scores are of, unless it is the last one."""
    newest = steps_done(folder)
    remedy = f"cli.evaluate --checkpoint={folder} scores the newest checkpoint"
    if final is None:
        line = _last_validation(lines)
        return (
            [] if line is None else [f"scores are those of training's own validation at step {line['step']}; {remedy}"]
        )
    if final["step"] < newest:
        return [f"scores are of step {final['step']}, it has trained to step {newest}; {remedy}"]
    return []


def _last_validation(lines: Sequence[Mapping]) -> Mapping[str, Any] | None:
    return next((line for line in reversed(lines) if any(key.startswith("val/") for key in line)), None)


def _of_training(lines: Sequence[Mapping]) -> dict[str, Any] | None:
    """The scores of the last validation that training logged, as metrics.json has them; None without any."""
    line = _last_validation(lines)
    if line is None:
        return None
    return {"step": line["step"], **{k.removeprefix("val/"): v for k, v in line.items() if k.startswith("val/")}}


def _prepared(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Split -> {"names", "labeled", ...} of the prepared data of a run; {} if they are gone, or were made anew."""
    data = config["data"]
    try:
        folder = find_finished(find(data["dataset"]), data.get("prepared_dir", ""))
        return {} if folder is None else metadata(folder)["splits"]
    except (ValueError, OSError):
        return {}


def _labels(config: Mapping[str, Any], splits: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """(labeled training images that are read, all training images); None where nothing tells."""
    train = splits.get(config["data"].get("train_split", "train"))
    images = None if train is None else len(train["names"])
    if config["task"]["name"] in UNLABELED_TASKS:
        return 0, images
    there = None if train is None else sum(train["labeled"])
    return config["data"]["labels"] or there, images


def _pictures(folder: pathlib.Path) -> tuple[list[tuple[str, Any]], list[str]]:
    """(caption, picture) of those that can be read, and why the others cannot."""
    found, left_out = [], []
    for path in sorted((folder / PICTURES).glob("*.png")):
        remedy = f"cli.evaluate --checkpoint={folder} draws it again"
        if path.stem.startswith(OF_TRAINING):
            remedy = "it is drawn again when the run goes on"
        try:
            found.append((CAPTIONS.get(path.stem, path.stem), read_picture(path, remedy)))
        except (DamagedFile, OSError) as error:
            left_out.append(f"left out: {error}")
    return found, left_out


def _space(config: Mapping[str, Any], folder: pathlib.Path) -> LabelSpace:
    try:
        return space_of(config) or LabelSpace(config["data"]["dataset"], (), ())
    except ValueError as error:
        raise UsageError(f"{folder / CONFIG} cannot be used ({error}): correct it, or delete that folder") from error
