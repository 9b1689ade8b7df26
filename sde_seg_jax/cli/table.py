"""Runs a table of experiments: python -m sde_seg_jax.cli.table --config=configs/paper/multitask.py --workdir=DIR

--rows=a,b --labels=372 --seeds=42,43 run a part (default: all that the file lists); options of the file stand after a
colon (configs/paper/semi.py:dataset=camvid). Each run has its folder DIR/<row>_<labels>_s<seed>; stages that runs
start from ("@stage") are trained first, once, in DIR/<stage>; weights that cli.convert wrote there are used as they
are. A stage may also choose the images to label, as cli.select does: "@stage/labels.txt" is its list. What is finished
is skipped, what was interrupted goes on, a folder begun with another configuration is refused. --dry_run only prints
the plan, what it needs (hours, disk, data sets and weights that are missing), and the table so far, of the rows asked
for; --metric=miou_16 shows another score of the same runs, --split=test another split's.

Rows that the file names a partner for (or --against=ROW: all) are compared with it seed by seed: the mean difference,
its 95 % interval, the seeds won.

Overrides (--config.section.key=value) reach all runs; those of data, dataset, model, sources, train and eval reach the
stages, too. DIR/table.md, table.html and table.json hold the table, and are written anew after every run.

A run that diverges does not stop the others: it stands in the table as failed, and the same command tries it again
from its last checkpoint. Exit status: 0 done, 1 some run failed, 2 bad input, 130 interrupted (everything is kept).
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import DONE, Arguments, run
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE

FAILED = 1  # exit status
FLAGS = ("rows", "labels", "seeds", "metric", "against", "split")  # that a plan takes


def flags(values: absl_flags.FlagValues) -> None:
    """The flags of cli.table."""
    absl_flags.DEFINE_string("rows", "", "rows to run, such as a,b; default: all", flag_values=values)
    absl_flags.DEFINE_string("labels", "", "label counts to run, such as 100,372", flag_values=values)
    absl_flags.DEFINE_string("seeds", "", "seeds to run, such as 42,43", flag_values=values)
    absl_flags.DEFINE_string("metric", "", "score to show, such as miou_16; default: the file's", flag_values=values)
    absl_flags.DEFINE_string("split", "", "split to score on, such as test; default: the file's", flag_values=values)
    absl_flags.DEFINE_string("against", "", "row to compare all with; default: the file's partners", flag_values=values)
    absl_flags.DEFINE_bool("dry_run", False, "only print the plan, its needs, the rows so far", flag_values=values)


def main(arguments: Arguments) -> int:
    """Runs the table of the command line, or only shows it."""
    if not arguments.path or not arguments.workdir:
        raise UsageError("cli.table needs --config=FILE and --workdir=DIR")
    from sde_seg_jax.display.result_text import as_text
    from sde_seg_jax.experiment.table.plan import Plan, collect, execute, write

    asked = {name: getattr(arguments, name) for name in FLAGS}
    plan = Plan(arguments.file, arguments.workdir, **asked)
    print("\n".join(plan.lines()))
    if arguments.dry_run:
        from sde_seg_jax.experiment.table.dry_run import needs, only_asked

        only_asked(plan)
        for line in needs(plan):
            print(line)
    failed = {} if arguments.dry_run else execute(plan, CONSOLE)
    table = collect(plan, failed)
    print("\n" + as_text(table))
    if not table.against and len(plan.table.seeds) > 1:
        print("differences of rows, seed by seed, with intervals: --against=ROW")
    if not arguments.dry_run:
        print(f"table: {write(table, plan.workdir)}")
    if failed:
        print(
            f"failed: {', '.join(str(plan.workdir / name) for name in failed)}: the same command tries again from the "
            "last checkpoint; delete a folder to begin it again",
            file=sys.stderr,
        )
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
