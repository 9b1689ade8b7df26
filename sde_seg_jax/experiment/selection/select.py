"""Which images to label: the steps of a selection, each one continued where it stopped."""

from __future__ import annotations

import contextlib
import functools
import itertools
import pathlib
from collections.abc import Sequence

from ml_collections import config_dict

from sde_seg_jax.experiment.begun import CONFIG, refuse_other_config
from sde_seg_jax.experiment.check import check, check_depth_networks
from sde_seg_jax.experiment.config import UsageError, as_json, call, value_of
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.selection import report
from sde_seg_jax.experiment.selection.choosing import choose_step
from sde_seg_jax.experiment.selection.files import LIST, TABLE, Chosen, read_chosen, write_chosen
from sde_seg_jax.experiment.selection.opening import open_work
from sde_seg_jax.experiment.selection.plan import CORESET, TASKS, WITHOUT_DEPTH, Plan, make_plan
from sde_seg_jax.experiment.selection.teacher import quality
from sde_seg_jax.experiment.selection.work import Work
from sde_seg_jax.experiment.spaces import note_classes
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.state_files.writing import write_json
from sde_seg_jax.training.digests import digest_of_json
from sde_seg_jax.training.interrupted import Interrupted
from sde_seg_jax.training.workdir_lock import alone


def select(config: config_dict.ConfigDict, workdir: str | pathlib.Path, reporter: Reporter = SILENT) -> pathlib.Path:
    """Runs or continues a selection; returns the path of selection.csv.

    Raises UsageError for bad input, and if `workdir` was begun with another configuration, teacher or data;
    Busy if another command writes there; Interrupted. Of several processes all call this: they share out what is
    computed for every sample and train students together; the first chooses, and writes.
    """
    folder = pathlib.Path(workdir).expanduser()
    plan = check_selection(config)
    together.require_same(digest_of_json(as_json(config)), "the configuration", "start all with the same command")
    with alone(folder) if together.is_first() else contextlib.nullcontext():
        try:
            work = begin(config, plan, folder, reporter)
            _require_shared(folder)
            if work.teacher is not None:
                reporter.tell(quality(config.task.depth_checkpoint))
            chosen = _continue(work)
            _report(work, chosen)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; the same command goes on where it stopped, in {folder}") from None
    reporter.tell(f"{len(chosen)} samples chosen: {folder / TABLE}, names in {folder / LIST}, pages in {folder}")
    return folder / TABLE


def begin(config: config_dict.ConfigDict, plan: Plan, folder: pathlib.Path, reporter: Reporter) -> Work:
    """Opens data and teacher and notes what the selection is begun with. Raises UsageError if that was something else.

    Whoever calls it sees to it that nobody else writes the notes in `folder` meanwhile.
    """
    refuse_other_config(as_json(config), folder)
    asked = as_json(config)
    config = resolve(config, folder.resolve().parent)
    check_depth_networks(config)
    prepare_data(config, reporter=reporter)
    asked["data"]["classes"] = note_classes(config)
    work = open_work(config, plan, folder, reporter)
    if together.is_first():
        write_json(folder / CONFIG, asked)
    return work


def _require_shared(folder: pathlib.Path) -> None:
    """Raises ValueError if a process does not see what the first one writes."""
    together.barrier()
    seen = (folder / CONFIG).is_file()
    together.require_same(seen, f"what is in {folder}", "--workdir has to be on a disk that all processes see")


def _report(work: Work, rows: Sequence[Chosen]) -> None:
    """The first process writes the pages; what they need of networks is there by then."""
    if together.told_by_first(lambda: report.is_written(work)):
        return
    if together.count() > 1:
        work.share_features()
        number = {name: index for index, name in enumerate(work.names)}
        for step in sorted({row.step for row in rows if row.criterion in TASKS}):
            work.train_student([number[row.name] for row in rows if row.step < step])
    if together.is_first():
        report.write_report(work, rows)


def finished(config: config_dict.ConfigDict, workdir: str | pathlib.Path) -> bool:
    """Is the list of this selection complete, and its page written?"""
    folder = pathlib.Path(workdir).expanduser()
    return len(read_chosen(folder)) >= config.select.steps[-1] and (folder / report.PAGE).is_file()


def check_selection(config: config_dict.ConfigDict) -> Plan:
    """The plan of a configuration. Raises ValueError, naming key and remedy, if it cannot be used."""
    if "select" not in config:
        raise UsageError("this configuration has no section select: use configs/selection.py, or base.selection(c)")
    plan = call("select", make_plan, config.select)
    check(config)
    wanted = TASKS.get(plan.criterion, config.task.name)
    if config.task.name != wanted:
        raise UsageError(f"criterion {plan.criterion} trains task '{wanted}', but config.task.name={config.task.name}")
    if plan.criterion not in WITHOUT_DEPTH and not value_of(config, "task.depth_checkpoint"):
        raise UsageError(
            f"criterion {plan.criterion} looks at depth: give --checkpoint=DIR, a depth run's workdir, "
            f"or choose by images alone: select.criterion={CORESET}"
        )
    return plan


def _continue(work: Work) -> list[Chosen]:
    """All steps that are not done."""
    number = {name: index for index, name in enumerate(work.names)}
    rows = together.told_by_first(lambda: read_chosen(work.folder))
    started = work.started()
    counts = work.plan.counts(len(started), len(work.names), work.config.data.train_split)
    unknown = next((row.name for row in rows if row.name not in number), None)
    if unknown is not None:
        raise UsageError(f"{work.folder / TABLE} lists '{unknown}', which the data do not have: delete that file")
    if rows:
        work.reporter.tell(f"{len(rows)} samples are chosen in {work.folder / TABLE}")
    if len(rows) < counts[-1]:  # a page of an earlier list does not say that this one is finished
        work.share_features()
        if together.is_first():
            (work.folder / report.PAGE).unlink(missing_ok=True)
    for previous, count in itertools.pairwise((0, *counts)):
        if len(rows) >= count:
            continue
        chosen = [number[row.name] for row in rows[:previous]]
        errors = work.scores(chosen) if previous and work.plan.trains else None
        found = together.told_by_first(functools.partial(choose_step, work, started, chosen, count, errors))
        rows = rows[:previous] + [
            Chosen(rank, work.names[index], count, by, *scores)
            for rank, (by, index, *scores) in enumerate(found, start=previous + 1)
        ]
        if together.is_first():
            write_chosen(work.folder, rows)
        work.reporter.tell(f"{count} of {counts[-1]} samples are chosen")
    return rows
