"""Chooses which images to label: python -m sde_seg_jax.cli.select --config=FILE:ds_us --checkpoint=DIR --workdir=DIR

--checkpoint is a depth run: no labels are needed. Writes selection.csv and labels.txt (best first), page.html, which
shows why each was chosen, and budget.csv: how much is left to gain with so many labels. Criteria, as rows of
configs/selection.py: ds_us, ds, us, coreset (by features of an image encoder, without depth), entropy (needs labels),
random. Between the steps a student is trained, from
scratch, on what was chosen so far; config.select.single=True goes straight to the end with one student.

Labels that you have already: --config.select.start=FILE. For an annotation tool: --export=cvat,label_studio,folder.
On many machines that share the workdir: --part=1/8 to --part=8/8, one each, compute the features that ds and ds_us look
at; then the same command without --part, which finds them. Or several processes as one (--coordinator, as in
cli.train): they share out features and uncertainties, and train students together.

An interrupted selection goes on with the same command, to the same list. Exit status: 0 done, 2 bad input, 130
interrupted.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli import annotation_flags, process_flags
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.part import Part
from sde_seg_jax.reporter import CONSOLE


def flags(values: absl_flags.FlagValues) -> None:
    """Those of several processes and of the export, and this command's own."""
    process_flags.define(values)
    annotation_flags.flags(values)
    absl_flags.DEFINE_string("part", "", "NUMBER/COUNT: compute this part of the features only", flag_values=values)


def main(arguments: Arguments) -> None:
    """Selects, and exports if asked to."""
    if not arguments.path or not arguments.workdir:
        raise UsageError(
            "cli.select needs --config=FILE, --workdir=DIR and, unless by coreset or entropy, --checkpoint=DIR"
        )
    part = Part.parse(arguments.part) if arguments.part else None
    if part and arguments.export:
        raise UsageError("--part chooses nothing yet, so there is nothing to export: leave --export out")
    from sde_seg_jax.experiment.selection.parts import select_part
    from sde_seg_jax.experiment.selection.select import select
    from sde_seg_jax.processes import together

    config = arguments.config()
    if arguments.checkpoint:
        if "depth_checkpoint" not in config.task:
            raise UsageError(f"task '{config.task.name}' looks at no depth: leave --checkpoint out")
        config.task.depth_checkpoint = arguments.checkpoint
    if part and together.count() > 1:
        raise UsageError("--part is for machines that know nothing of each other: leave it out, or --coordinator")
    if part:
        select_part(config, arguments.workdir, part, CONSOLE)
        return
    annotation_flags.check(arguments, config)
    select(config, arguments.workdir, CONSOLE)
    if together.is_first():
        annotation_flags.from_flags(arguments, config)


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
