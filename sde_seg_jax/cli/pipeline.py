"""Runs all stages of a configuration: python -m sde_seg_jax.cli.pipeline --config=configs/quickstart.py --workdir=DIR

Prepares the data, trains every stage named in the configuration's pipeline section in a folder of its own, evaluates
it and writes the report. What is done is skipped on a second call; what was interrupted continues.
"""

from __future__ import annotations

import pathlib
import sys
import time

from ml_collections import config_dict

from sde_seg_jax.cli.begun import keep_places, read_json, refuse_other_config, steps_done
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.cli.config import UsageError, as_json
from sde_seg_jax.cli.evaluate import RESULT, evaluate
from sde_seg_jax.cli.prepare import prepare_domains
from sde_seg_jax.cli.report import write_report
from sde_seg_jax.cli.select import finished, select
from sde_seg_jax.cli.train import train


def run_stage(config: config_dict.ConfigDict, folder: pathlib.Path, title: str) -> dict:
    """Trains and evaluates one stage unless that is done; returns its scores. A selection chooses, and has no scores.

    Raises UsageError if the folder was begun with another configuration.
    """
    refuse_other_config(as_json(config), folder)
    if "select" in config:
        if finished(config, folder):
            print(f"{title}: {config.select.steps[-1]} samples are chosen in {folder}")
        else:
            select(config, folder)
        return {}
    if steps_done(folder) < config.train.steps:
        train(config, str(folder), title=title)
    else:
        print(f"{title}: {config.train.steps} steps are done in {folder}")
    result = folder / RESULT
    scores = read_json(result) if result.is_file() else {}
    if scores.get("step") == config.train.steps:
        return scores
    print(f"{title}: evaluating")
    return evaluate(str(folder), override=lambda stored: keep_places(stored, config))


def headline(scores: dict[str, dict]) -> list[str]:
    """The lines that the quickstart ends with."""
    lines = []
    for stage, found in scores.items():
        if found.get("abs_rel") is not None:
            constant = found["constant/abs_rel"]
            lines.append(
                f"{stage:<16} AbsRel {found['abs_rel']:.3f}; best constant depth {constant:.3f} "
                f"({found['abs_rel'] / constant:.2f} of it)"
            )
        if found.get("miou") is not None:
            lines.append(f"{stage:<16} mIoU {found['miou']:.2%}, pixel accuracy {found['pixel_accuracy']:.2%}")
    return lines


def main(arguments: Arguments) -> None:
    """Runs the pipeline of the command line's configuration."""
    if not arguments.path or not arguments.workdir:
        raise UsageError("cli.pipeline needs --config=FILE and --workdir=DIR")
    if arguments.row:
        raise UsageError(f"cli.pipeline runs all rows; leave out ':{arguments.row}' or use cli.train")
    config = arguments.config()
    if "pipeline" not in config:
        raise UsageError(f"{arguments.path} has no pipeline section; use cli.train")
    started = time.monotonic()
    folder = pathlib.Path(arguments.workdir).expanduser()
    for prepared in prepare_domains(config):
        print(f"prepared: {prepared}")
    scores = {stage: run_stage(arguments.config(stage), folder / stage, stage) for stage in config.pipeline.stages}
    minutes = (time.monotonic() - started) / 60
    page = write_report(str(folder), title=config.name, summary={"wall clock of this call": f"{minutes:.1f} min"})
    print("\n".join(["", *headline(scores), f"{minutes:.1f} minutes", f"report: {page}"]))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__))
