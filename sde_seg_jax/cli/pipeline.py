"""Runs all stages of a configuration: python -m sde_seg_jax.cli.pipeline --config=configs/quickstart.py --workdir=DIR

Prepares the data, trains every stage named in the configuration's pipeline section in a folder of its own, evaluates
it and writes the report. What is done is skipped on a second call; what was interrupted continues.
"""

from __future__ import annotations

import pathlib
import sys
import time

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE


def main(arguments: Arguments) -> None:
    """Runs the pipeline of the command line's configuration."""
    if not arguments.path or not arguments.workdir:
        raise UsageError("cli.pipeline needs --config=FILE and --workdir=DIR")
    if arguments.row:
        raise UsageError(f"cli.pipeline runs all rows; leave out ':{arguments.row}' or use cli.train")
    config = arguments.config()
    if "pipeline" not in config:
        raise UsageError(f"{arguments.path} has no pipeline section; use cli.train")
    from sde_seg_jax.experiment.prepare import prepare_domains
    from sde_seg_jax.experiment.report import write_report
    from sde_seg_jax.experiment.stages import headline, run_stage

    started = time.monotonic()
    folder = pathlib.Path(arguments.workdir).expanduser()
    for prepared in prepare_domains(config, reporter=CONSOLE):
        print(f"prepared: {prepared}")
    scores = {
        stage: run_stage(arguments.config(stage), folder / stage, stage, CONSOLE) for stage in config.pipeline.stages
    }
    minutes = (time.monotonic() - started) / 60
    page = write_report(str(folder), title=config.name, summary={"wall clock of this call": f"{minutes:.1f} min"})
    print("\n".join(["", *headline(scores), f"{minutes:.1f} minutes", f"report: {page}"]))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__))
