"""--export of cli.select: the chosen frames as tasks for labelling tools."""

from __future__ import annotations

import pathlib

from absl import flags as absl_flags
from ml_collections import config_dict

from sde_seg_jax.cli.command_line import Arguments
from sde_seg_jax.experiment.annotation.formats import FOLDER, FORMATS
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE

OPTIONS = ("export_count", "export_from", "model", "classes", "output")  # of --export


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
        from sde_seg_jax.experiment.annotation.tasks import check_formats, open_task

        check_formats(arguments.export)
        open_task(config, arguments.model, arguments.classes)
    elif given:
        raise UsageError(f"--{given[0]} is for the export of frames; add --export={','.join(FORMATS)}, or leave it out")


def from_flags(arguments: Arguments, config: config_dict.ConfigDict) -> list[pathlib.Path]:
    """Exports what the flags say of the selection in --workdir; returns the folders, [] without --export.

    Raises UsageError if they cannot be followed; see `export`.
    """
    if not arguments.export:
        return []
    from sde_seg_jax.display.selection_choice import STARTED
    from sde_seg_jax.experiment.annotation.tasks import Choice, export
    from sde_seg_jax.experiment.selection.files import note, read_chosen

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
    return export(config, choices, folder, arguments.export, arguments.model, arguments.classes, CONSOLE)
