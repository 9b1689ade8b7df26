"""Runs a table of experiments: python -m sde_seg_jax.cli.table --config=configs/paper/multitask.py --workdir=DIR

--rows=a,b --labels=372 --seeds=42,43 run a part (default: all that the file lists); options of the file stand after a
colon (configs/paper/semi.py:dataset=camvid). Each run has its folder DIR/<row>_<labels>_s<seed>; stages that runs
start from ("@stage") are trained first, once, in DIR/<stage>; weights that cli.convert wrote there are used as they
are. A stage may also choose the images to label, as cli.select does: "@stage/labels.txt" is its list. What is finished
is skipped, what was interrupted goes on, a folder begun with another configuration is refused. --dry_run only prints
the plan and the table so far; --metric=miou_16 shows another score of the same runs.

Overrides (--config.section.key=value) reach all runs; those of data, dataset, model, sources, train and eval reach the
stages, too. DIR/table.md, table.html and table.json hold the table, and are written anew after every run.

A run that diverges does not stop the others: it stands in the table as failed, and the same command tries it again
from its last checkpoint. Exit status: 0 done, 1 some run failed, 2 bad input, 130 interrupted (everything is kept).
"""

from __future__ import annotations

import dataclasses
import gc
import json
import pathlib
import sys
from collections.abc import Iterator

from absl import flags as absl_flags
from ml_collections import config_dict

from sde_seg_jax.cli.begun import refuse_other_config
from sde_seg_jax.cli.check import check
from sde_seg_jax.cli.command_line import DONE, Arguments, run
from sde_seg_jax.cli.config import UsageError, as_json
from sde_seg_jax.cli.pipeline import run_stage
from sde_seg_jax.cli.select import check_selection
from sde_seg_jax.cli.table_file import numbers, pick, read_table, references, stages_of
from sde_seg_jax.cli.table_runs import (
    Item,
    commit,
    needs_stages,
    note_status,
    result_of,
    scores_of,
    seconds_left,
    state,
    trained,
)
from sde_seg_jax.report.result_table import Result, ResultTable, as_markdown, as_text, write_html
from sde_seg_jax.report.result_table import as_json as table_json
from sde_seg_jax.report.tables import duration
from sde_seg_jax.training.log import write_text
from sde_seg_jax.training.loop import Diverged

FAILED = 1
SHOWN = 4  # runs named in a line of the plan
Key = tuple[str, int, int]  # row, labels, seed


def flags(values: absl_flags.FlagValues) -> None:
    """The flags of cli.table."""
    absl_flags.DEFINE_string("rows", "", "rows to run, such as a,b; default: all", flag_values=values)
    absl_flags.DEFINE_string("labels", "", "label counts to run, such as 100,372", flag_values=values)
    absl_flags.DEFINE_string("seeds", "", "seeds to run, such as 42,43", flag_values=values)
    absl_flags.DEFINE_string("metric", "", "score to show, such as miou_16; default: the file's", flag_values=values)
    absl_flags.DEFINE_bool("dry_run", False, "only print the plan and the table so far", flag_values=values)


class Plan:
    """What a command line asks for: its runs and their stages, and the whole grid that the table shows."""

    def __init__(self, arguments: Arguments):
        self.arguments, self.table = arguments, read_table(arguments)
        self.workdir = pathlib.Path(arguments.workdir).expanduser()
        rows = pick(arguments.rows, self.table.rows, "rows")
        labels = numbers(arguments.labels, self.table.labels, "labels")
        seeds = numbers(arguments.seeds, self.table.seeds, "seeds")
        self.stages: dict[str, Item] = {}
        # seeds outermost: the first seed of every row is there before the second of any
        self.runs = {(row, n, seed): self._run((row, n, seed)) for seed in seeds for n in labels for row in rows}
        self.grid = [
            (row, n, seed)
            for n in dict.fromkeys((*self.table.labels, *labels))
            if n in labels or any(self.workdir.glob(f"*_{n}_s*"))  # asked for, or run before
            for row in self.table.rows
            for seed in dict.fromkeys((*self.table.seeds, *seeds))
        ]

    def _run(self, key: Key) -> Item:
        config = self.arguments.config(self.table.argument(*key))
        for name, stage in stages_of(config, self.table, self.arguments).items():
            if name not in self.stages:
                group = f"select {stage.select.criterion}" if "select" in stage else name
                self.stages[name] = self._item(name, group, stage)
        return self._item(name_of(key), key[0], config)

    def _item(self, name: str, group: str, config: config_dict.ConfigDict) -> Item:
        """Raises before any work if the configuration cannot be used, or not in this folder."""
        refuse_other_config(as_json(config), self.workdir / name)
        (check_selection if "select" in config else check)(config)
        return Item(name, group, self.workdir / name, config, tuple(dict.fromkeys(references(config))))

    def work(self) -> list[Item]:
        """What is not finished, in order: every stage right before the first run that needs it."""
        found: dict[str, Item] = {}

        def visit(item: Item) -> None:
            for stage in (self.stages[name] for name in item.stages):
                if needs_stages(item) and not trained(stage):
                    visit(stage)
            found.setdefault(item.name, item)

        for item in self.runs.values():
            if scores_of(item) is None:
                visit(item)
        return list(found.values())

    def lines(self) -> Iterator[str]:
        """The plan for people."""
        work = self.work()
        states: dict[str, list[str]] = {}
        for item in self.runs.values():
            states.setdefault(state(item), []).append(item.name)
        yield f"{self.table.title}: {len(self.runs)} run" + ("s" if len(self.runs) > 1 else "")
        for name, stage in self.stages.items():
            yield f"  stage {name}: {state(stage)}" + ("" if stage in work or trained(stage) else ", not needed now")
        for known, names in states.items():
            more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield f"  {len(names)} {known}: {', '.join(names[:SHOWN])}{more}"

    def results(self) -> tuple[list[Result], list[str]]:
        """All runs of the grid, and notes on those that were trained with a configuration other than this one."""
        results, notes = [], []
        for key in self.grid:
            folder = self.workdir / name_of(key)
            item = self.runs.get(key)
            if item is None and folder.is_dir():  # left out by the command line, but there
                try:
                    config = self.arguments.config(self.table.argument(*key))
                    refuse_other_config(as_json(config), folder)
                    item = Item(folder.name, key[0], folder, config)
                except UsageError as error:
                    notes.append(f"left out: {error}")
            missing = Result(*key, str(folder))
            results.append(missing if item is None else result_of(item, *key, self.table.metric))
        return results, notes


def name_of(key: Key) -> str:
    """The folder of a run."""
    row, labels, seed = key
    return f"{row}_{labels}_s{seed}"


def collect(plan: Plan, failed: dict[str, str]) -> ResultTable:
    """The table as the folders tell it now; `failed` adds why this call could not finish some runs."""
    table, arguments = plan.table, plan.arguments
    results, notes = plan.results()
    results = [
        dataclasses.replace(result, failed=failed.get(name_of(key), result.failed))
        for key, result in zip(plan.grid, results, strict=True)
    ]
    config = f"--config={table.path}" + (f":{table.options}" if table.options else "")
    overrides = [f"--config.{key}={text}" for key, text in arguments.overrides.items()]
    command = ["python -m sde_seg_jax.cli.table", config, *overrides, f"--workdir={arguments.workdir}"]
    facts = {"command": " ".join(command), "commit of the code that wrote this": commit() or "not known"}
    return ResultTable(table.title, results, table.metric, table.paper, table.source, notes, facts)


def write(table: ResultTable, workdir: pathlib.Path) -> pathlib.Path:
    """Writes table.md, table.json and table.html; returns the path of the last."""
    write_text(workdir / "table.md", as_markdown(table))
    write_text(workdir / "table.json", json.dumps(table_json(table), indent=2) + "\n")
    return write_html(table, workdir / "table.html")


def execute(plan: Plan) -> dict[str, str]:
    """Runs what is not finished; returns why some could not be: name -> reason."""
    failed: dict[str, str] = {}
    work = plan.work()
    everything = [*plan.stages.values(), *plan.runs.values()]
    for number, item in enumerate(work, start=1):
        broken = next((name for name in item.stages if name in failed), None)
        if broken is not None:
            failed[item.name] = f"stage {broken} failed: {failed[broken]}"
            continue
        left = seconds_left(work[number - 1 :], everything)
        print(f"{number} of {len(work)}: {item.name}" + (f", about {duration(left)} left" if left else ""))
        note_status(item.folder)
        try:
            run_stage(item.config, item.folder, item.name)
        except Diverged as error:
            failed[item.name] = str(error)
            note_status(item.folder, failed=str(error))
            print(f"{item.name} failed: {error}", file=sys.stderr)
        gc.collect()  # what the run left on the device, before the next one needs the room
        write(collect(plan, failed), plan.workdir)
    return failed


def main(arguments: Arguments) -> int:
    """Runs the table of the command line, or only shows it."""
    if not arguments.path or not arguments.workdir:
        raise UsageError("cli.table needs --config=FILE and --workdir=DIR")
    plan = Plan(arguments)
    print("\n".join(plan.lines()))
    failed = {} if arguments.dry_run else execute(plan)
    table = collect(plan, failed)
    print("\n" + as_text(table))
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
