"""Prepares a data set once: python -m sde_seg_jax.cli.prepare --config=configs/camvid.py --config.data.raw_dir=DIR

Writes it downsized and with random access to data.prepared_dir, a folder or an address like gs://bucket/folder; tells
first how much room it needs. With a source domain (config.source_data) both data sets are prepared. A second call finds
it done, one after an interruption goes on where that stopped. Training prepares by itself what is not prepared yet.

On many machines: --part=1/16 to --part=16/16, one each (an array job), all with the same flags, raw files and
prepared_dir; when they are done the same command with --finish. Or by Apache Beam (pip install '.[beam]'):
--runner=DirectRunner, and Beam's own flags after --, as in
prepare --config=camvid --runner=DirectRunner -- --direct_num_workers=4 --direct_running_mode=multi_processing
The files are those that one machine writes.

Exit status: 0 done, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.data.stored.choices import IMAGE_FORMATS, RUNNERS
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE

HANDS_ON = True  # words after "--" are Beam's


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_integer("workers", 0, "processes; 0: one a core", lower_bound=0, flag_values=values)
    absl_flags.DEFINE_bool("skip_bad", False, "leave samples with a problem out and list them", flag_values=values)
    absl_flags.DEFINE_alias("skip-bad", "skip_bad", flag_values=values)
    absl_flags.DEFINE_enum(
        "image_format", None, IMAGE_FORMATS, "jpeg: quality 98; png: exact, larger, slower to read", flag_values=values
    )
    absl_flags.DEFINE_list("splits", [], "which to prepare; default: those that the config names", flag_values=values)
    absl_flags.DEFINE_string("part", "", "NUMBER/COUNT: write only this part of the files", flag_values=values)
    absl_flags.DEFINE_bool("finish", False, "put the parts together", flag_values=values)
    absl_flags.DEFINE_enum("runner", None, RUNNERS, "of Apache Beam; its own flags stand after --", flag_values=values)
    absl_flags.DEFINE_bool("estimate_only", False, "tell the room that is needed, write nothing", flag_values=values)


def main(arguments: Arguments) -> None:
    """Prepares the data sets of the command line's configuration."""
    if not arguments.path:
        raise UsageError("cli.prepare needs --config=FILE")
    from sde_seg_jax.experiment.prepare import describe, estimate_domains, prepare_domains, way_of

    names = ("part", "finish", "estimate_only", "runner", "workers")
    how = way_of(words=arguments.handed_on, **{name: getattr(arguments, name) for name in names})
    config = arguments.config()
    options = {"workers": arguments.workers or None, "skip_bad": arguments.skip_bad}
    if arguments.image_format:
        options["image_format"] = arguments.image_format
    if arguments.estimate_only:
        estimate_domains(config, arguments.splits, CONSOLE, **options)
        return
    folders = prepare_domains(config, arguments.splits, CONSOLE, how=how, **options)
    if arguments.part:
        CONSOLE.tell("when all parts are written: the same command with --finish in place of --part")
        return
    for folder in folders:
        for line in describe(folder):
            CONSOLE.tell(line)
        CONSOLE.tell(f"prepared: {folder}")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags, hands_on=HANDS_ON))
