"""--export of cli.select: the chosen frames as tasks for labelling tools, at the resolution of the raw files.

See `annotation_folder` for what is written.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from absl import flags as absl_flags
from ml_collections import config_dict

from sde_seg_jax.cli import annotation_text, build
from sde_seg_jax.cli.annotation_classes import class_list
from sde_seg_jax.cli.annotation_folder import FORMATS, Task, is_finished, write
from sde_seg_jax.cli.command_line import Arguments
from sde_seg_jax.cli.config import UsageError, plain
from sde_seg_jax.cli.predict import Predictor
from sde_seg_jax.cli.selection_files import note, read_chosen
from sde_seg_jax.data.inspecting import originals
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.spec import find
from sde_seg_jax.report.selection_choice import STARTED

FOLDER = "export"  # of the workdir
OPTIONS = ("export_count", "export_from", "model", "classes", "output")  # of --export


class Choice(NamedTuple):
    """A chosen frame: its rank in the list, its sample's name, and a line on why it was chosen."""

    rank: int
    name: str
    note: str


def flags(values: absl_flags.FlagValues) -> None:
    """The flags of the export."""
    count = {"lower_bound": 0, "flag_values": values}
    absl_flags.DEFINE_list("export", [], f"write labelling tasks: {','.join(FORMATS)}", flag_values=values)
    absl_flags.DEFINE_integer("export_count", 0, "how many frames to export; 0: all that were chosen", **count)
    absl_flags.DEFINE_integer("export_from", 0, "leave out the first, labeled in an earlier round", **count)
    absl_flags.DEFINE_string("model", "", "checkpoint that draws first labels into them", flag_values=values)
    absl_flags.DEFINE_string("classes", "", "classes.json of what to label, if nothing else says", flag_values=values)
    absl_flags.DEFINE_string("output", "", f"folder to export to; default: WORKDIR/{FOLDER}", flag_values=values)


def check(arguments: Arguments, config: config_dict.ConfigDict) -> None:
    """Before any work: raises UsageError if the flags cannot be followed."""
    given = [name for name in OPTIONS if getattr(arguments, name)]
    if arguments.export:
        _check_formats(arguments.export)
        open_task(config, arguments.model, arguments.classes)
    elif given:
        raise UsageError(f"--{given[0]} is for the export of frames; add --export={','.join(FORMATS)}, or leave it out")


def from_flags(arguments: Arguments, config: config_dict.ConfigDict) -> list[pathlib.Path]:
    """Exports what the flags say of the selection in --workdir; returns the folders, [] without --export.

    Raises UsageError if they cannot be followed; see `export`.
    """
    if not arguments.export:
        return []
    workdir = pathlib.Path(arguments.workdir).expanduser()
    rows = [row for row in read_chosen(workdir)[arguments.export_from :] if row.criterion != STARTED]
    count = arguments.export_count or len(rows)
    if not 0 < count <= len(rows):
        raise UsageError(
            f"--export_count={count}: after the first {arguments.export_from} and those labeled before, '{workdir}' "
            f"has {len(rows)} chosen frames; change --export_count, --export_from, or choose more (config.select.steps)"
        )
    folder = pathlib.Path(arguments.output).expanduser() if arguments.output else workdir / FOLDER
    choices = [Choice(row.rank, row.name, note(row)) for row in rows[:count]]
    return export(config, choices, folder, arguments.export, arguments.model, arguments.classes)


def export(
    config: config_dict.ConfigDict,
    choices: Sequence[Choice],
    folder: pathlib.Path,
    formats: Sequence[str],
    model: str = "",
    classes: str = "",
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
    _check_formats(formats)
    task = open_task(config, model, classes)
    frames, resolution = _find_frames(config, [choice.name for choice in choices])
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
            print(f"exported already: {folder / name}")
        else:
            write(folder / name, name, task, frames, facts)
            print(f"exported {len(choices)} frames for {name}: {folder / name}")
    return [folder / name for name in formats]


def open_task(config: config_dict.ConfigDict, model: str = "", classes: str = "") -> Task:
    """The classes and the model of an export; see `export`."""
    trained = build.load_trained(model) if model else None
    if trained is not None and trained.network.segmentation is None:
        raise UsageError(f"--model={model} predicts no classes; give a checkpoint of a segmentation run, or none")
    found = class_list(config, trained, classes)
    return Task(found, Predictor([trained]) if trained else None, trained.step if trained else None)


def _check_formats(formats: Sequence[str]) -> None:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or len(set(formats)) < len(formats):
        raise UsageError(f"--export={','.join(formats)}: choose from {', '.join(FORMATS)}, each once")


def _find_frames(config: config_dict.ConfigDict, names: Sequence[str]) -> tuple[Mapping[str, originals.Original], str]:
    """Sample name -> frame, of all names; and where they come from."""
    data, spec = config.data, find(config.data.dataset)
    stored = open_source(spec, data.prepared_dir, data.train_split)
    raw_dir = pathlib.Path(data.raw_dir) if data.raw_dir else None
    if spec.layout is not None and raw_dir is not None and raw_dir.is_dir():
        found = originals.raw_frames(spec, data.train_split, raw_dir, plain(config.dataset), stored, names)
        where, what = f"'{raw_dir}'", annotation_text.RAW
    else:
        found = originals.stored_frames(stored, names)
        where, what = f"'{data.prepared_dir}'", annotation_text.STORED
        why = "they are made" if spec.layout is None else "data.raw_dir is empty or gone: labels won't fit raw files"
        height, width = stored.size
        print(f"exporting the stored images of {width}x{height}, since {why}")
    unknown = [name for name in names if name not in found]
    if unknown:
        raise UsageError(
            f"{len(unknown)} of {len(names)} chosen samples are not in {where}, the first is {unknown[0]!r}; give the "
            f"data that they were chosen from (data.raw_dir, data.prepared_dir, data.train_split)"
        )
    if len(set(names)) < len(names):
        raise UsageError(f"{next(n for n in names if names.count(n) > 1)!r} was chosen twice; take one out of the list")
    return found, what
