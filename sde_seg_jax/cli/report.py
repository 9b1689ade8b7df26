"""Writes one self-contained HTML page about runs: python -m sde_seg_jax.cli.report --workdir=runs/quickstart

The workdir is that of one run, or a folder of runs (what cli.pipeline leaves). The page, report.html, has headline
numbers, tables, curves and pictures; it needs no network and can be mailed. It says which runs stopped early, and on
how little a score stands. Runs that cli.evaluate has not scored are shown with the last validation of training.
"""

from __future__ import annotations

import sys

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE


def main(arguments: Arguments) -> None:
    """Writes the report of the command line's workdir."""
    if not arguments.workdir:
        raise UsageError("cli.report needs --workdir=DIR")
    from sde_seg_jax.experiment.report import write_report

    print(f"report: {write_report(arguments.workdir, reporter=CONSOLE)}")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__))
