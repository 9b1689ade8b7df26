"""Data prepared by many machines that share raw files and target: each writes its part, then one puts them together.

The files are those that one machine would write alone, byte for byte. What only all samples together tell (two of one
name, a field that some lack) is checked when they are put together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from etils import epath

from sde_seg_jax.data.preparing.prepare import Asked, ask, tell_warnings
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.data.stored.finished import find_finished
from sde_seg_jax.part import Part
from sde_seg_jax.reporter import SILENT, Reporter

ALONE = "or delete that folder and prepare on one machine, which leaves the second one out"


def prepare_part(
    part: Part,
    name: str | DatasetSpec,
    *,
    workers: int | None = None,
    skip_bad: bool = False,
    reporter: Reporter = SILENT,
    **asked: Any,
) -> None:
    """Writes the files of one part that are not there yet; takes the arguments of `prepare`.

    Parts may run at the same time and in any order, and again: what is finished is kept.

    Raises:
      ValueError: as `prepare`; or other parts were started with other arguments or other raw files.
    """
    from sde_seg_jax.data.preparing.target import explained
    from sde_seg_jax.data.preparing.unfinished import Unfinished
    from sde_seg_jax.data.preparing.work import Work
    from sde_seg_jax.data.preparing.writing import check_room, write_shards

    found = asked_for(name, skip_bad, **asked)
    if found.plan is None:
        reporter.tell(f"'{found.finished}' is prepared: nothing is left for part {part}")
        return
    plan, target = found.plan, found.target
    unfinished, own = Unfinished(plan, target), part.of(plan.shards())
    todo = [shard for shard in own if shard.file not in unfinished.done]
    if len(todo) < len(own):
        reporter.tell(f"continuing: {len(own) - len(todo)} of {len(own)} files of part {part} are finished")
    with contextlib.closing(Work(plan, todo, workers or os.cpu_count())) as work:
        check_room(plan, work, target, reporter.tell)
        with explained(target), target.writing_part():
            unfinished.join()
            write_shards(own, plan, work, unfinished, target, skip_bad, reporter)
            unfinished.confirm()
    reporter.tell(f"part {part} is written: {len(own)} of {len(plan.shards())} files, in '{target.written}'")


def finish_parts(
    name: str | DatasetSpec, *, skip_bad: bool = False, reporter: Reporter = SILENT, **asked: Any
) -> epath.Path | str:
    """Puts finished parts together and returns the folder; takes the arguments of `prepare` that they were given.

    Raises:
      ValueError: a file is missing, or parts do not fit each other; names the remedy.
    """
    from sde_seg_jax.data.preparing.target import explained
    from sde_seg_jax.data.preparing.unfinished import Unfinished
    from sde_seg_jax.data.preparing.writing import finish

    found = asked_for(name, skip_bad, **asked)
    if found.plan is None:
        reporter.tell(f"'{found.finished}' is prepared")
        return found.finished
    plan, target = found.plan, found.target
    with explained(target):
        unfinished = Unfinished(plan, target)
        if unfinished.differs == "":
            raise ValueError(f"no part is in '{target.written}': start them with --part=1/16, 2/16 and so on")
        if unfinished.differs:
            raise ValueError(f"'{target.written}' is of {unfinished.differs}; give the flags that the parts were given")
        if unfinished.todo:
            raise ValueError(
                f"'{target.written}' lacks {len(unfinished.todo)} of {len(plan.shards())} files, the first "
                f"'{unfinished.todo[0].file}': start the parts again that did not end well, they write what is missing"
            )
        for split in plan.items:
            _check(unfinished, split, len(plan.items[split]), skip_bad, plan)
        with target.writing():
            facts = finish(plan, unfinished, target, skip_bad)
    tell_warnings(plan, facts)
    return find_finished(plan.spec, asked["prepared_dir"])


def asked_for(
    name: str | DatasetSpec,
    skip_bad: bool,
    *,
    prepared_dir: str | os.PathLike,
    size: Size,
    raw_dir: str | os.PathLike | None = None,
    splits: Sequence[str] | None = None,
    image_format: str | None = None,
    **options: Any,
) -> Asked:
    """`prepare.ask` for arguments of `prepare`."""
    return ask(name, raw_dir, prepared_dir, size, splits, image_format, skip_bad, options)


def _check(unfinished, split: str, count: int, skip_bad: bool, plan) -> None:
    """Raises ValueError if the files of a split do not fit each other, as writing them in one go would have."""
    found = [unfinished.done[shard.file][0] for shard in plan.shards() if shard.split == split]
    left_out = [*plan.problems[split].left_out, *(line for facts in found for line in facts.left_out)]
    if left_out and not skip_bad:
        raise ValueError(f"the parts left out {len(left_out)} samples of '{split}': give --skip_bad here, too")
    if 2 * len(left_out) > count + len(plan.problems[split].left_out):
        raise ValueError(f"{len(left_out)} samples of '{split}' are bad, too many to leave out: {left_out[0]}")
    seen: set[str] = set()
    fields = next((facts.fields for facts in found if facts.fields is not None), None)
    for facts in found:
        twice = next((name for name in facts.names if name in seen), None)
        if twice is not None:
            raise ValueError(
                f"{plan.spec.name!r} has two samples named {twice!r} in {split!r}, in two parts; rename one, {ALONE}"
            )
        seen.update(facts.names)
        if facts.fields not in (None, fields):
            differing = min({*facts.fields} ^ {*fields})
            raise ValueError(
                f"{facts.names[0]!r} in {split!r}: all samples of a split need {differing}, or none; mend it, {ALONE}"
            )
