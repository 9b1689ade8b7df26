"""Checks a data set before anything is trained: python -m sde_seg_jax.cli.doctor --dataset=camvid --raw_dir=DIR

Raw files (--dataset and --raw_dir, or --config with --config.data.raw_dir=DIR) or prepared data (--prepared_dir, or
--config alone): counts, sizes, pairs, unreadable files, label ids and their shares, missing or still neighbors, cameras
and their fields of view. Reads --samples of each split, or --all. Writes a contact sheet with labels over the images.
Exit status: 0 healthy, 1 problems found, 2 bad command line or missing folder.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import DONE, Arguments, run
from sde_seg_jax.experiment.config import UsageError

PROBLEMS = 1  # exit status


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_string("dataset", "", "data set to check, instead of --config", flag_values=values)
    absl_flags.DEFINE_string("raw_dir", "", "its files as downloaded", flag_values=values)
    absl_flags.DEFINE_string("prepared_dir", "", "or what cli.prepare wrote", flag_values=values)
    absl_flags.DEFINE_list("splits", [], "splits to check; default: all, or those of --config", flag_values=values)
    absl_flags.DEFINE_integer("samples", 64, "samples of each split to read", lower_bound=1, flag_values=values)
    absl_flags.DEFINE_bool("all", False, "read every sample", flag_values=values)
    absl_flags.DEFINE_integer("workers", 0, "processes; 0: one a core", lower_bound=0, flag_values=values)
    absl_flags.DEFINE_string("output", "", "contact sheet, a PNG; default: doctor_<dataset>.png", flag_values=values)
    absl_flags.DEFINE_string("report", "", "everything that was found, as JSON, in this file", flag_values=values)


def main(arguments: Arguments) -> int:
    """Checks, prints, writes the contact sheet; returns the exit status."""
    if not (arguments.path or arguments.dataset or arguments.prepared_dir):
        raise UsageError("cli.doctor needs --config=FILE, or --dataset=NAME and --raw_dir=DIR, or --prepared_dir=DIR")
    from sde_seg_jax.experiment.doctor import text
    from sde_seg_jax.experiment.doctor.check import check, find_target, next_command, problems_of
    from sde_seg_jax.experiment.doctor.findings import describe, draw, write_findings

    named = (arguments.dataset, arguments.raw_dir, arguments.prepared_dir, arguments.splits)
    target = find_target(*named, arguments.config() if arguments.path else None)
    found = check(target, None if arguments.all else arguments.samples, arguments.workers, sys.stderr.isatty())
    problems = problems_of(found)
    print("\n".join(describe(target, found)), end="\n\n")
    if arguments.report:
        write_findings(target, found, arguments.report)
        print(f"report    {arguments.report}")
    sheet = draw(target, found, arguments.output)
    if sheet is not None:
        print(f"pictures  {sheet}")
    print("\n".join(text.problem_lines(problems)), end="\n" if problems else "")
    if problems:
        print(f"\n{target.dataset}: {text.verdict(found.splits, problems)}")
        return PROBLEMS
    print(f"\n{target.dataset}: healthy; next: {next_command(target, arguments.file, found)}")
    return DONE


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
