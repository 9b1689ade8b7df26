"""Which images to label: the steps of a selection, each one continued where it stopped."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.display.selection_choice import STARTED
from sde_seg_jax.evaluation.bootstrap import clips_of
from sde_seg_jax.experiment.begun import CONFIG, refuse_other_config
from sde_seg_jax.experiment.check import check, check_depth_networks
from sde_seg_jax.experiment.config import UsageError, as_json, call, value_of
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.selection import report
from sde_seg_jax.experiment.selection.files import LIST, TABLE, Chosen, read_chosen, write_chosen
from sde_seg_jax.experiment.selection.opening import open_work
from sde_seg_jax.experiment.selection.plan import (
    BOTH,
    CORESET,
    DIVERSITY,
    RANDOM,
    TASKS,
    WITHOUT_DEPTH,
    Plan,
    make_plan,
)
from sde_seg_jax.experiment.selection.teacher import quality
from sde_seg_jax.experiment.selection.work import Work
from sde_seg_jax.experiment.spaces import note_classes
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.selection import choose, farthest_point
from sde_seg_jax.selection.spread import Spread, highest, in_order
from sde_seg_jax.state_files.writing import write_json
from sde_seg_jax.training.interrupted import Interrupted
from sde_seg_jax.training.workdir_lock import alone


def select(config: config_dict.ConfigDict, workdir: str | pathlib.Path, reporter: Reporter = SILENT) -> pathlib.Path:
    """Runs or continues a selection; returns the path of selection.csv.

    Raises UsageError for bad input, and if `workdir` was begun with another configuration, teacher or data;
    Busy if another command writes there; Interrupted.
    """
    folder = pathlib.Path(workdir).expanduser()
    plan = check_selection(config)
    with alone(folder):
        try:
            work = begin(config, plan, folder, reporter)
            if work.teacher is not None:
                reporter.tell(quality(config.task.depth_checkpoint))
            chosen = _continue(work)
            report.write_report(work, chosen)
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
    write_json(folder / CONFIG, asked)
    return work


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
    rows = read_chosen(work.folder)
    started = work.started()
    counts = work.plan.counts(len(started), len(work.names), work.config.data.train_split)
    unknown = next((row.name for row in rows if row.name not in number), None)
    if unknown is not None:
        raise UsageError(f"{work.folder / TABLE} lists '{unknown}', which the data do not have: delete that file")
    if rows:
        work.reporter.tell(f"{len(rows)} samples are chosen in {work.folder / TABLE}")
    if len(rows) < counts[-1]:  # a page of an earlier list does not say that this one is finished
        (work.folder / report.PAGE).unlink(missing_ok=True)
    for previous, count in itertools.pairwise((0, *counts)):
        if len(rows) >= count:
            continue
        chosen = [number[row.name] for row in rows[:previous]]
        found = _next(work, chosen, count - previous) if previous else _first(work, started, count)
        rows = rows[:previous] + [
            Chosen(rank, work.names[index], count, by, *scores)
            for rank, (by, index, *scores) in enumerate(found, start=previous + 1)
        ]
        write_chosen(work.folder, rows)
        work.reporter.tell(f"{count} of {counts[-1]} samples are chosen")
    return rows


Found = tuple[str, int, float | None, float | None, float | None]  # what chose it, sample, score, distance, error


def _first(work: Work, started: Sequence[int], count: int) -> Iterator[Found]:
    """The first step: what is labeled already; else the random order, or farthest points from its first (published)."""
    if started:
        yield from ((STARTED, index, None, None, None) for index in started)
        return
    at_random = 1 if work.plan.farthest else count
    first = _at_random(work, [], at_random)
    yield from ((RANDOM, index, None, None, None) for index in first)
    yield from _farthest(work, first, count - at_random)


def _next(work: Work, chosen: Sequence[int], count: int) -> Iterator[Found]:
    """A later step."""
    if work.plan.criterion == RANDOM:
        yield from ((RANDOM, index, None, None, None) for index in _at_random(work, chosen, count))
    elif work.plan.criterion in (DIVERSITY, CORESET):
        yield from _farthest(work, chosen, count)
    elif work.plan.criterion == BOTH:
        yield from _farthest(work, chosen, count, work.scores(chosen))
    else:
        scores = work.scores(chosen)
        left = np.flatnonzero(~np.isin(np.arange(len(scores)), chosen))
        spread = _spread(work, chosen)
        if spread is None:
            picks = choose.most_uncertain(scores, count, left).tolist()
        else:
            picks = highest(scores, count, spread, left)
        for index in picks:
            yield work.plan.criterion, index, float(scores[index]), None, float(scores[index])


def _spread(work: Work, chosen: Sequence[int]) -> Spread | None:
    """Over the clips of the samples, `chosen` counted; None unless the plan asks for it."""
    if not work.plan.spread:
        return None
    _, groups = np.unique(clips_of(work.names), return_inverse=True)
    return Spread(groups, chosen)


def _at_random(work: Work, chosen: Sequence[int], count: int) -> list[int]:
    """The next of the seed's random order."""
    spread = _spread(work, chosen)
    if spread is not None:
        return in_order(work.order.tolist(), count, spread, chosen)
    return work.order[~np.isin(work.order, chosen)][:count].tolist()


def _farthest(work: Work, chosen: Sequence[int], count: int, errors: np.ndarray | None = None) -> Iterator[Found]:
    """Farthest points, by distance + bias * error where there are errors; labeled samples have none.

    As published: Q36 in docs/record/differences.md.
    """
    if not count:
        return
    bias = candidates = None
    if errors is not None:
        bias = np.nan_to_num(errors * np.float32(work.plan.bias))
        if work.plan.preselect:
            left = np.flatnonzero(~np.isin(np.arange(len(errors)), chosen))
            wanted = min(int(work.plan.preselect * count), len(left))
            candidates = choose.preselect(np.nan_to_num(errors), wanted, left)
    alone = CORESET if work.plan.criterion == CORESET else DIVERSITY  # the first step of BOTH has no errors yet
    options = {"bias": bias, "candidates": candidates, "spread": _spread(work, chosen), **work.plan.distance}
    features = work.features
    with work.reporter.bar(total=count, desc="farthest points", unit="label", delay=1) as bar:
        options["progress"] = lambda done: bar.update(done - bar.n)
        picks = farthest_point.sample(features, chosen, count, **options)
    for index, score in zip(picks.indices.tolist(), picks.distances.tolist(), strict=True):
        distance = score if bias is None else score - float(bias[index])
        yield (
            alone if errors is None else BOTH,
            index,
            score,
            distance,
            None if bias is None else float(errors[index]),
        )
