"""Checks raw files without writing anything: the lists of every split, and what a spread of its samples holds."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
import warnings
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from sde_seg_jax.data.inspecting.inspect import Split, spread
from sde_seg_jax.data.inspecting.measure import Sample, measure
from sde_seg_jax.data.inspecting.thumbnails import Thumbnail, shrink
from sde_seg_jax.data.preparing import parallel
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import DatasetSpec, Size, find
from sde_seg_jax.data.stored import codec
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.lookup import nearest

SIZE = (256, 512)  # of samples that are made, not read: nothing else tells


class Collected(raw.Problems):
    """Collects everything: `left_out` what preparation would stop at, `known` what it leaves out by itself."""

    def __init__(self):
        super().__init__(skip=True)
        self.known: list[str] = []

    def leave_out(self, message: str) -> None:
        """Notes a sample that is known to be unusable."""
        self.known.append(message)


def inspect_raw(
    name: str | DatasetSpec,
    raw_dir: str | os.PathLike | None,
    *,
    splits: Sequence[str] | None = None,
    samples: int | None = 64,
    shown: int = 4,
    size: Size = SIZE,
    workers: int | None = None,
    progress: bool = False,
    **options: Any,
) -> tuple[list[Split], dict[str, list[Thumbnail]]]:
    """Returns what was found in every split, and small pictures of `shown` healthy samples of each.

    Args:
      name: module in `data.datasets`, or a description.
      raw_dir: the raw files.
      splits: which; None: all.
      samples: how many of each split to read, spread over it; None: every one.
      shown: pictures a split.
      size: (height, width) of samples that are rendered.
      workers: processes; None: one a core.
      progress: show a bar.
      **options: of the data set.

    Raises:
      ValueError: the folder does not exist, or an option or split is unknown. All else is a finding.
    """
    spec = find(name)
    unknown = [split for split in splits or () if split not in spec.all_splits]
    if unknown:
        near = nearest(unknown[0], spec.all_splits)
        raise ValueError(f"{spec.name!r} has no split {unknown[0]!r}; it has {list(spec.all_splits)}{near}")
    options = spec.complete(options)
    if spec.layout is not None:
        raw_dir = raw.folder(raw_dir, spec.name, spec.layout)
    space = spec.space if spec.space is not None else spec.read_space(raw_dir, **options)
    chosen, found = {}, {}
    for split in splits or spec.splits:
        items, found[split] = _listed(spec, space, split, raw_dir, options)
        chosen[split] = [items[index] for index in spread(len(items), samples)]
    look = functools.partial(inspect_item, spec, space, size)
    everything = [item for items in chosen.values() for item in items]
    measured = iter(_all(look, everything, workers or os.cpu_count(), spec.name if progress else None))
    pictures = {}
    for split, items in chosen.items():
        found[split].samples = [next(measured) for _ in items]
        pictures[split] = _pictures(spec, items, found[split].samples, shown, size)
    return list(found.values()), pictures


def cameras_matter(spec: DatasetSpec) -> bool:
    """Does anything read the cameras of this data set? Depth does; where it can't be learnt they are placeholders."""
    return not {"neighbors", "depth"}.isdisjoint(spec.fields)


def inspect_item(spec: DatasetSpec, space: LabelSpace, size: Size, item: Any) -> Sample:
    """Loads, checks and measures one item; what is wrong with it becomes its problem."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            example = spec.load(item, size)
            codec.check(example, spec, space)
        except (ValueError, OSError) as error:
            return Sample(problems=(" ".join(str(error).split()),))
    return measure(example, space, [str(warning.message) for warning in caught])


def _listed(spec, space, split: str, raw_dir, options) -> tuple[Sequence[Any], Split]:
    """The items of a split; a split that can't be listed has none, and says why."""
    problems = Collected()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            items = spec.items(split, raw_dir, problems=problems, **options)
            wrong = [] if len(items) else [f"split {split!r} of {spec.name!r} is empty; leave it out of the splits"]
        except (ValueError, OSError) as error:
            items, wrong = [], [" ".join(str(error).split())]
    notes = [*problems.notes, *(str(warning.message) for warning in caught)]
    wrong = [*wrong, *problems.left_out, *problems.doubts]
    found = Split(split, space, len(items), wrong, problems.known, notes, pixel_aspect=spec.pixel_aspect)
    found.judge_cameras, found.counts = cameras_matter(spec), problems.counts
    return items, found


def _all(look, items: Sequence[Any], workers: int, title: str | None) -> list[Sample]:
    with (
        contextlib.closing(parallel.in_order(look, items, workers)) as samples,
        tqdm(total=len(items), desc=title, unit="img", disable=title is None, leave=False) as bar,
    ):
        found = []
        for sample in samples:
            found.append(sample)
            bar.update()
        return found


def _pictures(spec, items, samples: Sequence[Sample], shown: int, size: Size) -> list[Thumbnail]:
    healthy = [item for item, sample in zip(items, samples, strict=True) if not sample.problems]
    wanted = [healthy[index] for index in spread(len(healthy), shown)] if shown else []
    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")  # they are told already
        return list(pool.map(lambda item: shrink(spec.load(item, size)), wanted))
