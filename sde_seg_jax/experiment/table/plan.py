"""A table of experiments: what is to be run, in which order, and the table that its folders show so far."""

from __future__ import annotations

import dataclasses
import gc
import pathlib
from collections.abc import Iterator

from ml_collections import config_dict

from sde_seg_jax.display.result_json import as_json as table_json
from sde_seg_jax.display.result_page import write_html
from sde_seg_jax.display.result_table import Result, ResultTable
from sde_seg_jax.display.result_text import as_markdown
from sde_seg_jax.display.tables import duration
from sde_seg_jax.experiment.begun import refuse_other_config
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import ConfigFile, UsageError, as_json
from sde_seg_jax.experiment.selection.select import check_selection
from sde_seg_jax.experiment.stages import run_stage
from sde_seg_jax.experiment.table.file import numbers, pick, read_table, references, stages_of
from sde_seg_jax.experiment.table.runs import (
    Item,
    commit,
    complete,
    needs_stages,
    note_status,
    result_of,
    seconds_left,
    state,
    trained,
)
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.state_files.writing import write_json, write_text
from sde_seg_jax.training.loop import Diverged

SHOWN = 4  # runs named in a line of the plan
Key = tuple[str, int, int]  # row, labels, seed


class Plan:
    """What is asked of a table file: its runs and their stages, and the whole grid that the table shows.

    Args:
      file: the table file, options of all its runs, and values for keys.
      workdir: the folder of all runs.
      rows, labels, seeds: the part to run, as "a,b", "100,372" and "42,43"; empty: all.
      metric, split: the score to show, and the split it is of; empty: the file's.
      against: the row that all others are compared with; empty: each with its partner in the file.

    Raises:
      UsageError: the file is no table, a row or key is unknown, or a folder was begun with another configuration.
    """

    def __init__(
        self,
        file: ConfigFile,
        workdir: str,
        rows: str = "",
        labels: str = "",
        seeds: str = "",
        metric: str = "",
        against: str = "",
        split: str = "",
    ):
        self.file, self.table = file, read_table(file, metric, against, split)
        asked = {"rows": rows, "labels": labels, "seeds": seeds, "metric": metric, "against": against, "split": split}
        self.asked = [f"--{flag}={text}" for flag, text in asked.items() if text]
        self.workdir = pathlib.Path(workdir).expanduser()
        rows = pick(rows, self.table.rows, "rows")
        labels = numbers(labels, self.table.labels, "labels")
        seeds = numbers(seeds, self.table.seeds, "seeds")
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
        config = self.file.config(self.table.argument(*key))
        for name, stage in stages_of(config, self.table, self.file.overrides).items():
            if name not in self.stages:
                group = f"select {stage.select.criterion}" if "select" in stage else name
                self.stages[name] = self._item(name, group, stage)
        return self._item(name_of(key), key[0], config, self.table.split)

    def _item(self, name: str, group: str, config: config_dict.ConfigDict, split: str = "") -> Item:
        """Raises before any work if the configuration cannot be used, or not in this folder."""
        refuse_other_config(as_json(config), self.workdir / name)
        (check_selection if "select" in config else check)(config)
        return Item(name, group, self.workdir / name, config, tuple(dict.fromkeys(references(config))), split)

    def work(self) -> list[Item]:
        """What is not finished, in order: every stage right before the first run that needs it."""
        found: dict[str, Item] = {}

        def visit(item: Item) -> None:
            for stage in (self.stages[name] for name in item.stages):
                if needs_stages(item) and not trained(stage):
                    visit(stage)
            found.setdefault(item.name, item)

        for item in self.runs.values():
            if not complete(item):
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
                    config = self.file.config(self.table.argument(*key))
                    refuse_other_config(as_json(config), folder)
                    item = Item(folder.name, key[0], folder, config, split=self.table.split)
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
    table = plan.table
    results, notes = plan.results()
    results = [
        dataclasses.replace(result, failed=failed.get(name_of(key), result.failed))
        for key, result in zip(plan.grid, results, strict=True)
    ]
    config = f"--config={table.path}" + (f":{table.options}" if table.options else "")
    overrides = [f"--config.{key}={text}" for key, text in plan.file.overrides.items()]
    command = ["python -m sde_seg_jax.cli.table", config, *overrides, f"--workdir={plan.workdir}", *plan.asked]
    shown = {result.row for result in results}
    facts = {"command": " ".join(command), "commit of the code that wrote this": commit() or "not known"}
    return ResultTable(
        table.title,
        results,
        table.metric,
        table.paper,
        table.source,
        notes,
        facts,
        against={row: partner for row, partner in table.against.items() if row in shown and partner in shown},
        split=table.split,
    )


def write(table: ResultTable, workdir: pathlib.Path) -> pathlib.Path:
    """Writes table.md, table.json and table.html; returns the path of the last."""
    write_text(workdir / "table.md", as_markdown(table))
    write_json(workdir / "table.json", table_json(table))
    return write_html(table, workdir / "table.html")


def execute(plan: Plan, reporter: Reporter = SILENT) -> dict[str, str]:
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
        reporter.tell(f"{number} of {len(work)}: {item.name}" + (f", about {duration(left)} left" if left else ""))
        note_status(item.folder)
        try:
            run_stage(item.config, item.folder, item.name, reporter, item.split)
        except Diverged as error:
            failed[item.name] = str(error)
            note_status(item.folder, failed=str(error))
            reporter.warn(f"{item.name} failed: {error}")
        gc.collect()  # what the run left on the device, before the next one needs the room
        write(collect(plan, failed), plan.workdir)
    return failed
