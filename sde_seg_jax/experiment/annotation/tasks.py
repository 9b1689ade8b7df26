"""The chosen frames as tasks for labelling tools, at the resolution of the raw files; `folder` says what is written."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ml_collections import config_dict

from sde_seg_jax.data.inspecting import originals
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.spec import find
from sde_seg_jax.experiment.annotation import text
from sde_seg_jax.experiment.annotation.classes import class_list
from sde_seg_jax.experiment.annotation.folder import Task, is_finished, write
from sde_seg_jax.experiment.annotation.formats import FORMATS
from sde_seg_jax.experiment.config import UsageError, plain
from sde_seg_jax.experiment.prediction.model import load
from sde_seg_jax.reporter import SILENT, Reporter


class Choice(NamedTuple):
    """A chosen frame: its rank in the list, its sample's name, and a line on why it was chosen."""

    rank: int
    name: str
    note: str


def export(
    config: config_dict.ConfigDict,
    choices: Sequence[Choice],
    folder: pathlib.Path,
    formats: Sequence[str],
    model: str = "",
    classes: str = "",
    reporter: Reporter = SILENT,
) -> list[pathlib.Path]:
    """Writes `folder`/FORMAT for each of the formats and returns these folders; one that is there already stays.

    Args:
      config: says which data set, and where its raw and prepared files are.
      choices: in the order of the selection.
      folder: where to write.
      formats: of FORMATS.
      model: checkpoint that predicts first labels; "": none.
      classes: path of a classes.json, for data that have none.

    Raises:
      UsageError: a sample is unknown, the classes are unknown or not the model's, or another export is there.
      ValueError: raw files are missing or broken.
    """
    check_formats(formats)
    task = open_task(config, model, classes)
    frames, resolution = _find_frames(config, [choice.name for choice in choices], reporter)
    facts = {
        "dataset": config.data.dataset,
        "split": config.data.train_split,
        "resolution": resolution,
        "checkpoint": model,
        "checkpoint_step": task.step,
        "classes": list(task.classes.space.classes),
        "frames": [{**choice._asdict(), "key": frames[choice.name].key} for choice in choices],
    }
    done = [name for name in formats if is_finished(folder / name, facts)]
    for name in formats:
        if name in done:
            reporter.tell(f"exported already: {folder / name}")
        else:
            write(folder / name, name, task, frames, facts, reporter)
            reporter.tell(f"exported {len(choices)} frames for {name}: {folder / name}")
    return [folder / name for name in formats]


def open_task(config: config_dict.ConfigDict, checkpoint: str = "", classes: str = "") -> Task:
    """The classes and the model of an export; see `export`."""
    model = load(checkpoint) if checkpoint else None
    if model is not None and model.network.segmentation is None:
        raise UsageError(f"--model={checkpoint} predicts no classes; give a checkpoint of a segmentation run, or none")
    found = class_list(config, model and model.trained, classes)
    return Task(found, model, model.step if model else None)


def check_formats(formats: Sequence[str]) -> None:
    """Raises UsageError for a format that is not known, or named twice."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or len(set(formats)) < len(formats):
        raise UsageError(f"--export={','.join(formats)}: choose from {', '.join(FORMATS)}, each once")


def _find_frames(
    config: config_dict.ConfigDict, names: Sequence[str], reporter: Reporter
) -> tuple[Mapping[str, originals.Original], str]:
    """Sample name -> frame, of all names; and where they come from."""
    data, spec = config.data, find(config.data.dataset)
    stored = open_source(spec, data.prepared_dir, data.train_split)
    raw_dir = pathlib.Path(data.raw_dir) if data.raw_dir else None
    if spec.layout is not None and raw_dir is not None and raw_dir.is_dir():
        found = originals.raw_frames(spec, data.train_split, raw_dir, plain(config.dataset), stored, names)
        where, what = f"'{raw_dir}'", text.RAW
    else:
        found = originals.stored_frames(stored, names)
        where, what = f"'{data.prepared_dir}'", text.STORED
        why = "they are made" if spec.layout is None else "data.raw_dir is empty or gone: labels won't fit raw files"
        height, width = stored.size
        reporter.tell(f"exporting the stored images of {width}x{height}, since {why}")
    unknown = [name for name in names if name not in found]
    if unknown:
        raise UsageError(
            f"{len(unknown)} of {len(names)} chosen samples are not in {where}, the first is {unknown[0]!r}; give the "
            f"data that they were chosen from (data.raw_dir, data.prepared_dir, data.train_split)"
        )
    if len(set(names)) < len(names):
        raise UsageError(f"{next(n for n in names if names.count(n) > 1)!r} was chosen twice; take one out of the list")
    return found, what
