"""Trains one configuration: python -m sde_seg_jax.cli.train --config=configs/quickstart.py:depth --workdir=runs/depth

Continues where the workdir's newest checkpoint ends. Writes checkpoints, metrics.jsonl and TensorBoard files into the
workdir. Ctrl-C saves first; the same command continues. Exit status: 0 done, 2 bad input, 130 interrupted.

Several processes, one a machine or a GPU, train as one: the same command for each, with --coordinator=HOST:PORT
--processes=N --process=I, or --coordinator=auto under Slurm, Open MPI or on a Cloud TPU. data.batch_size stays that of
all together. If one is lost, all end with exit status 75, and the same commands continue.
"""

from __future__ import annotations

import sys

from sde_seg_jax.cli import process_flags
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.cli.sections import help_text as more
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE

flags = process_flags.define


def main(arguments: Arguments) -> None:
    """Trains the configuration of the command line."""
    if not arguments.path or not arguments.workdir:
        raise UsageError("cli.train needs --config=FILE and --workdir=DIR")
    from sde_seg_jax.experiment.train import train

    train(arguments.config(), arguments.workdir, reporter=CONSOLE)


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags, more=more))
