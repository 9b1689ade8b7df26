"""Writes a data set once, downsized, versioned, with random access; training reads only what this wrote."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etils import epath

from sde_seg_jax.data.preparing.raw_state import raw_state
from sde_seg_jax.data.preparing.target import Local, Remote, open_target
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import DatasetSpec, Size, find
from sde_seg_jax.data.stored import codec
from sde_seg_jax.data.stored.codings import CODECS
from sde_seg_jax.data.stored.finished import (
    LEFT_OUT,
    SCHEMA,
    VERSION,
    find_finished,
    find_prepared,
    label_space,
    metadata,
    still_wanted,
)
from sde_seg_jax.lookup import nearest
from sde_seg_jax.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from sde_seg_jax.data.preparing.work import Plan  # TFDS, which a finished set does not need

__all__ = ["LEFT_OUT", "VERSION", "estimate", "find_prepared", "metadata", "original_size", "prepare"]


def prepare(
    name: str | DatasetSpec,
    *,
    raw_dir: str | os.PathLike | None = None,
    prepared_dir: str | os.PathLike,
    size: Size,
    splits: Sequence[str] | None = None,
    image_format: str | None = None,
    workers: int | None = None,
    skip_bad: bool = False,
    reporter: Reporter = SILENT,
    **options: Any,
) -> epath.Path | str:
    """Prepares data set `name` below `prepared_dir` and returns its folder (its address, if that is far away).

    A second call finds the finished data and returns at once, or adds the splits that they lack. An
    interrupted call leaves nothing that looks finished; the next one continues where it stopped if what is
    asked for and the list of raw files are the same.

    Args:
      name: module in `data.datasets`, or a description.
      raw_dir: the raw files; not needed by data sets that are rendered.
      prepared_dir: `<name>/<version>` is made in it: a local folder, or any that fsspec reaches (gs://...).
      size: (height, width) in pixels of the stored images.
      splits: which to write; None: all.
      image_format: "jpeg" (quality 98) or "png" (exact, several times larger and slower to read); None: what
        there is, else jpeg.
      workers: processes; None: one a core.
      skip_bad: leave samples with a problem out and list them, instead of ending at the first.
      reporter: is told about disk space and continuing, and shows a bar.
      **options: of the data set.

    Warns:
      UserWarning: labels with unknown ids, once for each kind.

    Raises:
      ValueError: raw files are missing, broken or inconsistent (naming file and remedy), `prepared_dir`
        holds data of another version or with other options, has not enough room, or can't be written.
    """
    asked = ask(name, raw_dir, prepared_dir, size, splits, image_format, skip_bad, options)
    if asked.plan is None:
        return asked.finished
    from sde_seg_jax.data.preparing.writing import write

    facts = write(asked.plan, asked.target, workers=workers or os.cpu_count(), skip_bad=skip_bad, reporter=reporter)
    tell_warnings(asked.plan, facts)
    return find_finished(asked.plan.spec, prepared_dir)


def estimate(
    name: str | DatasetSpec,
    *,
    raw_dir: str | os.PathLike | None = None,
    prepared_dir: str | os.PathLike,
    size: Size,
    splits: Sequence[str] | None = None,
    image_format: str | None = None,
    workers: int | None = None,
    skip_bad: bool = False,
    reporter: Reporter = SILENT,
    **options: Any,
) -> int:
    """Returns how many bytes `prepare` with these arguments would still write; it writes nothing itself.

    Extrapolated from about 16 samples, spread evenly. `reporter` gets a line that also says what is free.

    Raises:
      ValueError: as `prepare`.
    """
    asked = ask(name, raw_dir, prepared_dir, size, splits, image_format, skip_bad, options)
    if asked.plan is None:
        reporter.tell(f"needs nothing: '{asked.finished}' is prepared")
        return 0
    from sde_seg_jax.data.preparing.unfinished import Unfinished
    from sde_seg_jax.data.preparing.work import Work
    from sde_seg_jax.data.preparing.writing import check_room

    todo = Unfinished(asked.plan, asked.target).todo
    with contextlib.closing(Work(asked.plan, todo, workers or os.cpu_count())) as work:
        return check_room(asked.plan, work, asked.target, reporter.tell)


def original_size(
    name: str | DatasetSpec, *, raw_dir: str | os.PathLike | None = None, size: Size, split: str, **options: Any
) -> Size:
    """(height, width) of the first raw image of a split; what is rendered is so at `size`.

    Raises ValueError as `prepare`.
    """
    spec = find(name)
    plan = _plan(spec, _recipe(spec, size, [split], None, options), raw_dir, False, None)
    height, width = codec.load(spec, plan.items[split][0], size)["image"].shape[:2]
    return int(height), int(width)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a call asks for: the finished folder, the plan of what it lacks (None: nothing) and where that goes."""

    finished: epath.Path | str | None
    plan: Plan | None
    target: Local | Remote


def ask(
    name: str | DatasetSpec,
    raw_dir,
    prepared_dir,
    size: Size,
    splits,
    image_format: str | None,
    skip_bad: bool,
    options,
) -> Asked:
    """Compares the arguments of `prepare` with what is there. Raises ValueError as `prepare`."""
    spec = find(name)
    recipe = _recipe(spec, size, splits, image_format, options)
    finished = find_finished(spec, prepared_dir)
    target = open_target(prepared_dir, spec.name, spec.version)
    if finished is not None:
        recipe = still_wanted(finished, recipe, any_format=image_format is None)
        if not recipe["splits"]:
            return Asked(finished, None, target)
    return Asked(finished, _plan(spec, recipe, raw_dir, skip_bad, finished), target)


def tell_warnings(plan: Plan, facts: dict[str, Any]) -> None:
    """Warns of what was found while writing; not again of what splits that were there before had."""
    for line in facts["warnings"][len(plan.earlier["warnings"]) if plan.earlier else 0 :]:
        warnings.warn(line, stacklevel=3)


def _plan(spec: DatasetSpec, recipe: dict[str, Any], raw_dir, skip_bad: bool, finished):
    """Lists the items of the recipe's splits, which join those of the `finished` folder, if there is one."""
    from sde_seg_jax.data.preparing.work import Plan

    if spec.layout is not None:
        raw_dir = raw.folder(raw_dir, spec.name, spec.layout)
    complete = spec.complete(recipe["options"])
    problems = {split: raw.Problems(skip=skip_bad) for split in recipe["splits"]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        space = spec.space or spec.read_space(raw_dir, **complete)
        items = {split: spec.items(split, raw_dir, problems=found, **complete) for split, found in problems.items()}
    for split, found in items.items():
        if not len(found):
            first = f" (left out: {problems[split].left_out[0]})" if problems[split].left_out else ""
            raise ValueError(f"split {split!r} of {spec.name!r} is empty{first}; leave it out of `splits`")
    if not space.num_classes:  # no classes, no masks
        spec = dataclasses.replace(spec, fields=tuple(field for field in spec.fields if field != "label"))
    earlier = None if finished is None else metadata(finished)
    if earlier is not None and label_space(earlier) != space:
        raise ValueError(f"'{finished}' was prepared with other classes; choose another prepared_dir")
    said = [message for found in problems.values() for message in (*found.doubts, *found.notes)]
    told = list(dict.fromkeys([*said, *(str(warning.message) for warning in caught)]))  # of all splits, once
    return Plan(spec, recipe, space, items, problems, told, raw_state(spec, raw_dir), earlier)


def _recipe(spec: DatasetSpec, size: Size, splits, image_format: str | None, options) -> dict[str, Any]:
    """What was asked for, as JSON values: equal recipes make equal data."""
    unknown = [split for split in splits or () if split not in spec.all_splits]
    if unknown:
        near = nearest(unknown[0], spec.all_splits)
        raise ValueError(f"{spec.name!r} has no split {unknown[0]!r}; it has {list(spec.all_splits)}{near}")
    image_format = image_format or next(iter(CODECS))
    if image_format not in CODECS:
        raise ValueError(f"unknown image_format {image_format!r}; known: {list(CODECS)}")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size {size} is no (height, width) in pixels")
    recipe = {
        "schema": SCHEMA,
        "size": [int(side) for side in size],
        "image_format": image_format,
        "resize": codec.RESIZE,
        "options": spec.complete(options),
        "splits": list(spec.splits) if splits is None else [split for split in spec.all_splits if split in splits],
    }
    return json.loads(json.dumps(recipe))
