"""Runs all stages of a configuration: python -m sde_seg_jax.cli.pipeline --config=configs/quickstart.py --workdir=DIR

Prepares the data, trains every stage named in the configuration's pipeline section in a folder of its own, evaluates
it and writes the report. What is done is skipped on a second call; what was interrupted continues.

Your own video: --config=folder:quick --config.data.raw_dir=DIR. It is looked at first, as by cli.doctor. While there
are no labels, depth is learnt and frames are chosen to be labeled; with labels the same command trains on them. With
more labels later it trains anew, beside what is there.

--config.STAGE.section.key=VALUE is for one stage: --config.quick_depth.train.steps=300.
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
    config = arguments.config()
    if "pipeline" not in config:
        named, remedy = (f":{arguments.row}", "leave out the row, or use") if arguments.row else ("", "use")
        raise UsageError(f"{arguments.path}{named} has no pipeline section; {remedy} cli.train")
    from sde_seg_jax.experiment.next_labels import more_labels, next_step
    from sde_seg_jax.experiment.pipeline import is_labeled, limit_selection, look, outlook, stages_of
    from sde_seg_jax.experiment.prepare import prepare_domains
    from sde_seg_jax.experiment.report import write_report
    from sde_seg_jax.experiment.rounds import about_rounds, open_rounds
    from sde_seg_jax.experiment.stages import headline, run_stage

    for stage in {name for names in config.pipeline.values() for name in names}:
        arguments.config(stage)  # a misspelt key of one is an error before any work
    started = time.monotonic()
    folder = pathlib.Path(arguments.workdir).expanduser()
    stages = stages_of(config)
    if config.data.raw_dir:
        print("\n".join(look(config)))
    for prepared in prepare_domains(config, reporter=CONSOLE):
        print(f"prepared: {prepared}")
    asked = {stage: limit_selection(arguments.config(stage), stage, CONSOLE) for stage in stages}
    configs = open_rounds(asked, folder)
    print("\n".join([*about_rounds(asked, configs, folder), outlook(configs, folder)]))
    scores = {stage: run_stage(one, folder / stage, stage, CONSOLE) for stage, one in configs.items()}
    minutes = (time.monotonic() - started) / 60
    page = write_report(str(folder), title=config.name, summary={"wall clock of this call": f"{minutes:.1f} min"})
    print("\n".join(["", *headline(scores), f"{minutes:.1f} minutes"]))
    if is_labeled(config):
        lines = more_labels(arguments.file, folder, config.pipeline.get("unlabeled", ()), configs)
    else:
        lines = next_step(arguments.file, folder, configs)
    print("\n".join([*lines, f"report: {page}"]))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__))
