"""What a table will need, told before it begins: hours, room on the disk, data sets and weights that are missing."""

from __future__ import annotations

import math
import pathlib
import shutil
from collections.abc import Iterator, Sequence

import jax
from ml_collections import config_dict

from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.finished import find_finished, metadata
from sde_seg_jax.display.tables import duration
from sde_seg_jax.experiment.begun import steps_done
from sde_seg_jax.experiment.build import abstract_variables, build_network
from sde_seg_jax.experiment.config import plain, value_of
from sde_seg_jax.experiment.prepare import prepare_arguments
from sde_seg_jax.experiment.source_data import domains
from sde_seg_jax.experiment.table.plan import Plan
from sde_seg_jax.experiment.table.runs import Item
from sde_seg_jax.experiment.weights.sources import HUB, in_cache, named
from sde_seg_jax.experiment.weights.transfer import parse
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training.log import read_metrics

GB = 1e9
DOMAINS = ("data", "source_data")  # sections that name data sets
KEPT = 2  # checkpoints of a run
MOMENTS = {"sgd": 1, "adam": 2, "adamw": 2}  # copies of the parameters that an optimiser keeps; of others 2 are taken


def only_asked(plan: Plan) -> None:
    """Leaves out of the table the rows that were not asked for and have never been run."""
    asked = {row for row, _, _ in plan.runs}
    plan.grid = [key for key in plan.grid if key[0] in asked or any(plan.workdir.glob(f"{key[0]}_*_s*"))]


def needs(plan: Plan) -> Iterator[str]:
    """Lines on the time, the room and the files that the unfinished runs of a plan need; nothing is written."""
    work = plan.work()
    if not work:
        return
    yield f"  time: {_time(work, [*plan.stages.values(), *plan.runs.values()])}"
    yield f"  disk: {_disk(work, plan.workdir)}"
    yield from dict.fromkeys(
        line
        for item in work
        for section, one in zip(DOMAINS, domains(item.config), strict=False)
        for line in _data(one, section)
    )
    yield from dict.fromkeys(line for item in work for line in _weights(item.config))


def _time(work: Sequence[Item], everything: Sequence[Item]) -> str:
    """Steps that are left times the seconds a step took in runs of the same row, else in any run here."""
    left = [max(0, item.steps - sum(map(steps_done, item.trained_in))) for item in work]
    rates: dict[str, list[float]] = {}
    for item in everything:
        for folder in item.trained_in:
            lines = [line for line in read_metrics(str(folder)) if line.get("seconds") and line["step"]]
            if lines:
                rates.setdefault(item.group, []).append(lines[-1]["seconds"] / lines[-1]["step"])
    steps = f"{sum(left):,} steps in {len(work)} run" + ("s" if len(work) > 1 else "")
    if not rates:
        return f"{steps}: {sum(left) / 3600:.1f} h for every second that a step takes; known once one has begun here"
    known = [rate for found in rates.values() for rate in found]
    mean = {group: sum(found) / len(found) for group, found in rates.items()}
    usual = sum(known) / len(known)
    seconds = sum(count * mean.get(item.group, usual) for item, count in zip(work, left, strict=True))
    other = sorted({item.group for item in work} - mean.keys())
    guess = f" ({', '.join(other)}: taken to be as fast as the others)" if other else ""
    return f"about {duration(seconds)} for {steps}, by the time of a step here{guess}"


def _disk(work: Sequence[Item], workdir: pathlib.Path) -> str:
    """Checkpoints of the runs that have none yet, and what is free."""
    sizes: dict[str, int] = {}
    total = 0
    for item in work:
        if steps_done(item.folder) or item.selects:
            continue
        key = str([plain(item.config.get(part, {})) for part in ("model", "task", "optim", "data")])
        if key not in sizes:
            sizes[key] = _checkpoint_bytes(item.config)
        total += KEPT * sizes[key]
    place = next(folder for folder in (workdir.resolve(), *workdir.resolve().parents) if folder.is_dir())
    return f"about {total / GB:.1f} GB of checkpoints, {shutil.disk_usage(place).free / GB:.1f} GB are free"


def _checkpoint_bytes(config: config_dict.ConfigDict) -> int:
    """Student, optimiser and teacher in float32; frozen networks are left out."""
    variables = abstract_variables(build_network(config), config.data.crop)
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables.params))
    copies = 1 + MOMENTS.get(config.optim.get("name", ""), 2)
    copies += find_task(config.task.name).teacher(config.losses, config.task)
    return 4 * count * copies


def _data(config: config_dict.ConfigDict, section: str) -> Iterator[str]:
    """A line if data are not prepared yet: from what they will be, or that it is missing."""
    data, spec = config.data, find(config.data.dataset)
    folder = find_finished(spec, data.prepared_dir)
    wanted = prepare_arguments(config)["splits"]
    there = () if folder is None else metadata(folder)["splits"]
    lacking = [split for split in wanted if split not in there]
    if not lacking:
        return
    what = f"  data: {data.dataset} ({', '.join(lacking)}) in '{data.prepared_dir}'"
    if spec.layout is None:
        yield f"{what}: will be made"
    elif data.raw_dir and pathlib.Path(data.raw_dir).expanduser().is_dir():
        yield f"{what}: will be prepared from '{data.raw_dir}'; cli.prepare --estimate_only tells the room"
    else:
        yield f"{what}: MISSING; give --config.{section}.raw_dir=DIR, its files as downloaded (docs/data.md)"


def _weights(config: config_dict.ConfigDict) -> Iterator[str]:
    """A line for each file of published weights that is not on this machine."""
    sources = {parse(text).source for text in config.model.transfer}
    if "feature_distance" in config.losses:
        sources.add(value_of(config, "task.reference_encoder"))
    if config.model.init:
        sources.add("")
    else:
        sources.discard("")
    for name in sorted(sources):
        value, flag = named(config, name)
        if value.startswith(HUB) and not in_cache(value, flag):
            yield f"  weights: {value} are not on this machine: they will be fetched, or give {flag}=FILE"
