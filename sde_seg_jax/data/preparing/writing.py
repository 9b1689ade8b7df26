"""The loop that writes prepared data: shard by shard, so that an interrupted call can be continued."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.fields import WHOLE_SPLIT
from sde_seg_jax.data.preparing import samples, shards
from sde_seg_jax.data.preparing.checks import Checks
from sde_seg_jax.data.preparing.shards import Shard
from sde_seg_jax.data.preparing.target import Local, Remote, explained
from sde_seg_jax.data.preparing.unfinished import Facts, Unfinished, put_shard
from sde_seg_jax.data.preparing.work import Plan, Work
from sde_seg_jax.data.stored.finished import LEFT_OUT, RAW
from sde_seg_jax.reporter import Reporter


def write(
    plan: Plan,
    target: Local | Remote,
    *,
    workers: int,
    skip_bad: bool,
    reporter: Reporter,
) -> dict[str, Any]:
    """Writes what `target` lacks of the plan, gives it its name, and returns the metadata.

    Raises:
      ValueError: a sample is bad and not skipped, or too many are; there is not enough room, or the target
        can't be written. What is finished stays, for the next call.
    """
    unfinished = Unfinished(plan, target)
    tell_begun(unfinished, plan, target, reporter)
    with contextlib.closing(Work(plan, unfinished.todo, workers)) as work:
        check_room(plan, work, target, reporter.tell)
        with explained(target), target.writing():
            try:
                unfinished.begin()
                write_shards(plan.shards(), plan, work, unfinished, target, skip_bad, reporter)
                return finish(plan, unfinished, target, skip_bad)
            finally:
                if not unfinished.done:  # nothing to continue with
                    target.discard()


def tell_begun(unfinished: Unfinished, plan: Plan, target: Local | Remote, reporter: Reporter) -> None:
    """Says what becomes of what an earlier call left."""
    if unfinished.done:
        reporter.tell(
            f"continuing: {len(unfinished.done)} of {len(plan.shards())} files of '{target.url}' are finished"
        )
    elif unfinished.differs:
        reporter.tell(f"starting anew: the unfinished '{target.url}' is of {unfinished.differs}")


def check_room(plan: Plan, work: Work, target: Local | Remote, tell: Callable[[str], None]) -> int:
    """Tells and returns how many bytes the items to do will need. Raises ValueError if the disk has less."""
    if not work.count:
        return 0
    needed, measured = work.measure()
    free = target.free()
    counts = "+".join(str(len(found)) for found in work.todo.values())
    room = "unknown" if free is None else readable(free)
    tell(f"needs about {readable(needed)} ({counts} samples, from {measured} samples), free: {room}")
    if free is not None and needed > free:
        raise ValueError(
            f"{plan.spec.name!r} needs about {readable(needed)} but '{target.url}' has {readable(free)} free; free "
            f"disk space, prepare fewer splits or smaller images, or choose another prepared_dir"
        )
    return needed


def readable(size: int) -> str:
    """Bytes in decimal units: 2.41 GB."""
    unit = next(unit for unit in (12, 9, 6, 3, 0) if size >= 10**unit or not unit)
    return f"{size / 10**unit:.3g} {dict(zip((12, 9, 6, 3, 0), ('TB', 'GB', 'MB', 'kB', 'bytes'), strict=True))[unit]}"


def write_shards(
    wanted: Sequence[Shard], plan: Plan, work: Work, unfinished: Unfinished, target, skip_bad: bool, reporter: Reporter
) -> None:
    """Writes those of the wanted shards that are not finished; `work` codes these. Samples are checked against them."""
    checks = {split: Checks(plan, split, skip_bad) for split in plan.items}
    for shard in wanted:
        if shard.file in unfinished.done:
            checks[shard.split].remember(unfinished.done[shard.file][0])
    total = sum(shard.stop - shard.start for shard in wanted)
    with reporter.bar(total=total, initial=total - work.count, desc=plan.spec.name, unit="img") as bar:
        for shard in [shard for shard in wanted if shard.file not in unfinished.done]:
            unfinished.done[shard.file] = write_shard(shard, plan, work, checks[shard.split], target, bar)


def write_shard(shard: Shard, plan: Plan, work: Work, checks: Checks, target: Local | Remote, bar) -> tuple[Facts, int]:
    """Writes one file and what became of its items; returns that, and the file's bytes."""
    facts = Facts(plan.space.num_classes)
    shards.write(target.staging(shard.file), _records(work, shard, facts, checks, bar))
    return facts, put_shard(target, shard, facts)


def _records(work: Work, shard: Shard, facts: Facts, checks: Checks, bar) -> Iterator[bytes]:
    for outcome in work.take(shard):
        bar.update()  # before handing over: the writer leaves the last one suspended
        facts.warnings += outcome.warnings
        problem = outcome.problem or checks.problem(outcome.coded)
        if problem:
            checks.bad(problem, facts)
            continue
        facts.add(outcome.coded, checks.add(outcome.coded))
        yield work.serialize(outcome.coded.stored)


def finish(plan: Plan, unfinished: Unfinished, target: Local | Remote, skip_bad: bool) -> dict[str, Any]:
    """Adds what readers need at once to the finished shards; returns it."""
    kept = {split: [] for split in plan.items}
    for shard in plan.shards():
        kept[shard.split].append(unfinished.done[shard.file])
    facts = {split: [fact for fact, _ in found] for split, found in kept.items()}
    space = plan.space
    metadata = {
        "recipe": plan.recipe,
        "space": [space.name, list(space.classes), [list(map(int, color)) for color in space.colors], space.ignore],
        "splits": {split: _split_facts(plan, found) for split, found in facts.items()},
        "class_pixels": {split: _sum(found, "pixels")[:-1] for split, found in facts.items()},
        "class_images": {split: _sum(found, "images") for split, found in facts.items()},
        "ignored_pixels": {split: _sum(found, "pixels")[-1] for split, found in facts.items()},
        "skip_bad": skip_bad,
        "left_out": {
            split: [*plan.problems[split].left_out, *itertools.chain(*(fact.left_out for fact in found))]
            for split, found in facts.items()
        },
        "warnings": samples.summarize(
            [*plan.warnings, *(line for found in facts.values() for fact in found for line in fact.warnings)]
        ),
        "shards": {
            split: {"lengths": [len(fact.names) for fact, _ in found], "bytes": sum(size for _, size in found)}
            for split, found in kept.items()
        },
    }
    if plan.earlier:
        metadata = _joined(plan, metadata)
    raw = plan.earlier.get(RAW, {}) if plan.earlier else plan.raw  # what is added later follows what was there first
    if raw:
        metadata[RAW] = raw
    with tempfile.TemporaryDirectory(prefix="sde_seg_jax-") as folder:
        path = pathlib.Path(folder)
        shards.write_info(path, plan.spec, plan.schema(), metadata)
        lines = [f"{split}: {line}\n" for split, found in metadata["left_out"].items() for line in found]
        if lines:
            (path / LEFT_OUT).write_text("".join(lines), encoding="utf-8")
        target.finish(path)
    return metadata


def _joined(plan: Plan, added: dict[str, Any]) -> dict[str, Any]:
    """The metadata of finished splits and those of added ones as one, splits in the description's order."""
    earlier = plan.earlier
    both = [*earlier["recipe"]["splits"], *added["recipe"]["splits"]]
    order = [split for split in plan.spec.all_splits if split in both]
    joined = {key: value for key, value in added.items() if not isinstance(value, dict)}
    for key in (key for key, value in added.items() if isinstance(value, dict)):
        found = {**earlier[key], **added[key]}
        joined[key] = found if key == "recipe" else {split: found[split] for split in order}
    joined["recipe"]["splits"] = order
    joined["skip_bad"] = earlier["skip_bad"] or added["skip_bad"]
    joined["warnings"] = [*earlier["warnings"], *added["warnings"]]
    return joined


def _split_facts(plan: Plan, found: list[Facts]) -> dict[str, Any]:
    here = next((fact.fields for fact in found if fact.fields is not None), ())
    return {
        "names": [name for fact in found for name in fact.names],
        "labeled": [labeled for fact in found for labeled in fact.labeled],
        "fields": [field for field in plan.spec.fields if field in here or field not in WHOLE_SPLIT],
    }


def _sum(found: list[Facts], key: str) -> list[int]:
    return np.sum([getattr(fact, key) for fact in found], axis=0).tolist()
