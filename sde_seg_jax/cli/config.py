"""Prints a configuration and where each value comes from: python -m sde_seg_jax.cli.config --config=folder:quick_depth

One line a key: its value, and the line of the file that set it, or "command line" (--config.section.key=value counts as
for every command). What a key means is said in configs/base.py, beside it; data sets' options in docs/data.md.
--section=train,optim prints some sections only.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flag."""
    absl_flags.DEFINE_list("section", [], "sections to print; default: all", flag_values=values)


def main(arguments: Arguments) -> None:
    """Prints the configuration of the command line."""
    if not arguments.path:
        raise UsageError("cli.config needs --config=NAME[:row], such as --config=folder:quick_depth")
    from sde_seg_jax.experiment.configuration.origins import lines

    print("\n".join(lines(arguments.file, arguments.section)))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
