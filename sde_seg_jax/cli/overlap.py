"""How much selections agree: python -m sde_seg_jax.cli.overlap --ours=DIR --other=FILE[,FILE...]

For n labels: how many of the first n of one list are among the first n of the other, beside what random lists would
share (mean and standard deviation); and the first of both, rank by rank. A list is a workdir of cli.select, its
selection.csv, or a text file as data.label_file reads it: configs/paper/selections/cityscapes_ds_us_42.txt. Where one
holds names and another indices, --config=FILE names the data set, which must be prepared; with it, names are checked.
--steps=25,50,100: the numbers of labels; default: 25, 50, 100, 200, 372, 744, as published, and the shorter list's.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError


def flags(values: absl_flags.FlagValues) -> None:
    """The flags of cli.overlap."""
    absl_flags.DEFINE_string("ours", "", "a workdir of cli.select, or a list", flag_values=values)
    absl_flags.DEFINE_string("other", "", "lists to compare it with: a,b", flag_values=values)
    absl_flags.DEFINE_string("steps", "", "numbers of labels, such as 25,50,100", flag_values=values)


def main(arguments: Arguments) -> None:
    """Compares the lists of the command line."""
    others = [pathlib.Path(path.strip()).expanduser() for path in arguments.other.split(",") if path.strip()]
    if not arguments.ours or not others:
        raise UsageError("cli.overlap needs --ours=DIR and --other=FILE")
    from sde_seg_jax.experiment.selection.overlap import compare, open_samples, read_lists, steps_of

    source = open_samples(arguments.config()) if arguments.path else None
    (ours, *lists), total = read_lists([pathlib.Path(arguments.ours).expanduser(), *others], source)
    print(f"ours: {arguments.ours}, {len(ours)} samples" + (f" of {total}" if total else ""))
    for path, other in zip(others, lists, strict=True):
        print(f"\nother: {path}, {len(other)} samples")
        for line in compare(ours, other, steps_of(arguments.steps, min(len(ours), len(other))), total):
            print(line)


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
