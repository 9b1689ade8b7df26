"""Runs or resumes the tables of docs/record/results.md: make evidence

All of it takes many hours on a laptop; stop it at any time (Ctrl-C), the same command goes on. What is finished is
kept in --runs (default runs/evidence), and after every table docs/results/NAME.json, the page and its figures are
written anew. Runs that such a file holds are not run again, so several machines can take some seeds each.
--only=contributions,selection runs some tables, --seeds=1,2 some seeds; --dry_run tells what is left. --camvid=DIR
adds the table of real images.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import re
import sys
from typing import NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kept_results
import results_page

from sde_seg_jax.display.result_json import as_json
from sde_seg_jax.display.tables import duration
from sde_seg_jax.experiment.config import ConfigFile
from sde_seg_jax.experiment.configuration.files import split
from sde_seg_jax.experiment.table.plan import Key, Plan, collect, execute, write
from sde_seg_jax.experiment.table.runs import complete, seconds_left
from sde_seg_jax.lookup import suggest
from sde_seg_jax.reporter import CONSOLE
from sde_seg_jax.training.interrupted import Interrupted


class Entry(NamedTuple):
    """A table: its file, the part of it that is run (all if empty), the folder of runs that it shares, raw data."""

    file: str
    rows: str = ""
    labels: str = ""
    folder: str = ""
    raw: bool = False  # needs CamVid's files


FEW_LABELS = "configs/streets_few_labels.py"
TABLES = {  # in order of importance
    "few_labels": Entry(FEW_LABELS),
    "label_counts": Entry(FEW_LABELS, "baseline,classmix", "8,16,32,64,160", folder="few_labels"),
    "few_selection": Entry("configs/streets_few_selection.py"),
    "few_adaptation": Entry("configs/streets_few_adaptation.py", folder="few_labels"),
    "camvid_few_labels": Entry("configs/camvid_few_labels.py", raw=True),
    "contributions": Entry("configs/streets_ablation.py:size=cpu"),
    "selection": Entry("configs/streets_selection.py:size=cpu"),
    "adaptation": Entry("configs/streets_adaptation.py:size=cpu"),
}
STEP_UNKNOWN = "not known before the first run"


def plan_of(name: str, runs: pathlib.Path, seeds: str = "", camvid: str = "") -> Plan:
    """The plan of a table, as cli.table makes it, without the runs that docs/results/NAME.json holds."""
    entry = TABLES[name]
    folder = runs / (entry.folder or name)
    file = ConfigFile(*split(entry.file), {"data.raw_dir": camvid} if entry.raw else {})
    plan = Plan(file, str(folder), rows=entry.rows, labels=entry.labels, seeds=seeds)
    known = kept_runs(name, plan)
    plan.runs = {key: item for key, item in plan.runs.items() if key not in known or complete(item)}
    return plan


def kept_runs(name: str, plan: Plan) -> dict[Key, kept_results.Kept]:
    """The plan's runs that docs/results holds: in the table's own file, or in one that shares its folder of runs."""
    folder = TABLES[name].folder or name
    sharing = [other for other, entry in TABLES.items() if (entry.folder or other) == folder]
    found = [kept_results.read(results_page.FOLDER / f"{other}.json", plan) for other in sharing]
    return {key: kept for one in found for key, kept in one.items()}


def left(plan: Plan) -> str:
    """What is left of a table, in one line."""
    work, every = plan.work(), [*plan.stages.values(), *plan.runs.values()]
    if not work:
        return f"all {len(plan.runs)} runs are finished"
    seconds = seconds_left(work, every)
    about = STEP_UNKNOWN if seconds is None else f"about {duration(seconds)}"
    return f"{len(work)} of {len(every)} runs and stages left, {about}"


def hardware() -> str:
    """Processor, vector instructions, cores."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    name = found[1] if found else platform.machine()
    vectors = next((word for word in ("avx512f", "avx2") if word in text), "no AVX2")
    return f"{os.cpu_count()} cores of {name}, {vectors}"


def keep(name: str, plan: Plan, failed: dict[str, str]) -> None:
    """Writes the table beside its runs, docs/results/NAME.json and the page."""
    table = collect(plan, failed)
    if not TABLES[name].folder:
        write(table, plan.workdir)
    path, rows = results_page.FOLDER / f"{name}.json", TABLES[name].rows.split(",")
    kept = kept_runs(name, plan)
    for run in table.results:
        if run.final is not None:
            kept[run.row, run.labels, run.seed] = kept_results.trained_here(plan, run, f"val/{table.metric}")
    results = [
        kept[key].result if (key := (run.row, run.labels, run.seed)) in kept else run
        for run in table.results
        if run.row in rows or not TABLES[name].rows
    ]
    shown = {run.row for run in results}
    table = dataclasses.replace(
        table,
        results=results,
        facts={**table.facts, "hardware": hardware()},
        against={row: partner for row, partner in table.against.items() if {row, partner} <= shown},
    )
    path.parent.mkdir(exist_ok=True)
    found = as_json(table) | {"trained": [kept[key].line() for key in sorted(kept) if key[0] in shown]}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    results_page.write()


def main(arguments: list[str] | None = None) -> int:
    """Runs what the command line asks for; 0 if all of it is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument(
        "--camvid", default="", help="CamVid's folder, as docs/data.md says; without it, not that table"
    )
    parser.add_argument("--seeds", default="")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/evidence"))
    parser.add_argument("--dry_run", action="store_true")
    options = parser.parse_args(arguments)
    os.chdir(results_page.ROOT)  # so that what is committed names no folder of this machine
    names = options.only.split(",")
    if unknown := [name for name in names if name not in TABLES]:
        parser.error(f"--only={options.only}: {suggest(unknown[0], TABLES)}")
    for name in [name for name in names if TABLES[name].raw and not options.camvid]:
        print(f"{name}: left out; --camvid=DIR names CamVid's files (docs/data.md)")
        names.remove(name)
    plans = {name: plan_of(name, options.runs, options.seeds, options.camvid) for name in names}
    for name, plan in plans.items():
        print(f"{name}: {left(plan)}")
    failures = {}
    for name, plan in plans.items() if not options.dry_run else ():
        try:
            failures |= execute(plan, CONSOLE)
        except Interrupted as stop:
            print(f"{stop}\n{name}: {left(plan)}")
            keep(name, plan, {})
            return 130
        keep(name, plan, failures)
        print(f"{name}: docs/results/{name}.json, docs/record/results.md")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
