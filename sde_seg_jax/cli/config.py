"""Prints a configuration and where each value comes from: python -m sde_seg_jax.cli.config --config=folder:quick_depth

One line a key: its value, and the line of the file that set it, or "command line" (--config.section.key=value counts as
for every command). What a key means is said in configs/base.py, beside it; data sets' options in docs/data.md.
--section=train,optim prints some sections only. --from_batch=2 prints what learning rates become if those of the
configuration were chosen for batches of 2, and data.batch_size is another; it changes nothing.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_integer(
        "from_batch", 0, "print the rules for a larger batch than this; 0: none", lower_bound=0, flag_values=values
    )
    absl_flags.DEFINE_list("section", [], "sections to print; default: all", flag_values=values)


def main(arguments: Arguments) -> None:
    """Prints the configuration of the command line."""
    if not arguments.path:
        raise UsageError("cli.config needs --config=NAME[:row], such as --config=folder:quick_depth")
    from sde_seg_jax.experiment.configuration.batch_rule import rates
    from sde_seg_jax.experiment.configuration.origins import lines

    if arguments.from_batch:
        print("\n".join(rates(arguments.config(), arguments.from_batch)))
        return
    print("\n".join(lines(arguments.file, arguments.section)))
    from sde_seg_jax.experiment.check import check

    check(arguments.config(), sources=False)  # what training would refuse


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
