"""Prepared data of a configuration: written once, found ever after."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.data.preparing import beam, parts
from sde_seg_jax.data.preparing import prepare as preparation
from sde_seg_jax.experiment import raw_changes
from sde_seg_jax.experiment.config import UsageError, plain, value_of
from sde_seg_jax.experiment.source_data import domains
from sde_seg_jax.part import Part
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.training.interrupted import Interrupted

SHOWN = 3  # left-out samples that are told; the file lists all


Preparing = Callable[..., Any]  # takes the arguments of `data.preparing.prepare.prepare`


def prepare_data(
    config: config_dict.ConfigDict,
    splits: Sequence[str] = (),
    reporter: Reporter = SILENT,
    how: Preparing = preparation.prepare,
    **options: Any,
) -> str:
    """Prepares what the data and dataset sections name, unless that is done; returns the prepared folder.

    Only the given splits or those that the data section names: the video of a large data set takes many times the
    space of the rest. `options` are those of `data.preparing.prepare.prepare`; `how`: that, or what `way_of` gives.
    Of several processes the first prepares; the others find it done, on a disk that all see, or do the same on their
    own.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            folder = together.first_before_others(
                lambda: how(**prepare_arguments(config, splits), reporter=reporter, **options)
            )
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the same command goes on where it stopped") from None
    for warning in caught:
        reporter.tell(f"warning: {warning.message}")
    return str(folder)


def way_of(
    *,
    part: str = "",
    finish: bool = False,
    estimate_only: bool = False,
    runner: str | None = None,
    words: Sequence[str] = (),
    workers: int | None = None,
) -> Preparing:
    """How a command line asks to prepare: a part, putting parts together, by Apache Beam, or all of it here.

    Args:
      part: "NUMBER/COUNT" of the files; the folder is not finished by it.
      finish: the parts are put together.
      estimate_only: nothing is written; here only since it excludes the others.
      runner, words: of Apache Beam and its own flags. Its workers are its affair.
      workers: processes that were asked for.

    Raises:
      UsageError: two of them are asked for, or words or workers that this way does not take.
      ValueError: there is no such part.
    """
    if bool(part) + finish + estimate_only + bool(runner) > 1:
        raise UsageError("--part, --finish, --runner and --estimate_only exclude each other: give one of them")
    if words and not runner:
        raise UsageError(f"'{words[0]}' after -- is for Apache Beam: give --runner, too")
    if workers and runner:
        raise UsageError("--workers are not Beam's: leave it out; -- --direct_num_workers=N are those of DirectRunner")
    if part:
        return functools.partial(parts.prepare_part, Part.parse(part))
    if finish:
        return _without_workers(parts.finish_parts)
    return _without_workers(functools.partial(beam.prepare_by_beam, runner, words)) if runner else preparation.prepare


def _without_workers(function: Callable) -> Preparing:
    """A way that has no use for the argument `workers`."""
    return lambda *, workers=None, **arguments: function(**arguments)


def original_size(config: config_dict.ConfigDict, split: str) -> tuple[int, int]:
    """(height, width) of the first raw image of a split of a configuration's data."""
    arguments = prepare_arguments(config)
    del arguments["prepared_dir"], arguments["splits"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said when they are prepared
        return preparation.original_size(**arguments, split=split)


def prepare_domains(
    config: config_dict.ConfigDict, splits: Sequence[str] = (), reporter: Reporter = SILENT, **options: Any
) -> list[str]:
    """`prepare_data` of the configuration's data and, if it has one, of its source domain; returns their folders.

    `splits` are the former's: of the source domain the one that it names is prepared.
    """
    target, *source = domains(config)
    folders = [prepare_data(target, splits, reporter, **options)]
    if changed := raw_changes.warning(target):
        reporter.tell(f"warning: {changed}")
    for one in source:
        try:
            folders.append(prepare_data(one, (), reporter, **options))
        except ValueError as error:
            raise UsageError(f"source domain (config.source_data): {error}") from error
    return folders


def estimate_domains(
    config: config_dict.ConfigDict, splits: Sequence[str] = (), reporter: Reporter = SILENT, **options: Any
) -> None:
    """Tells the room that `prepare_domains` would need, and writes nothing."""
    target, *source = domains(config)
    preparation.estimate(**prepare_arguments(target, splits), reporter=reporter, **options)
    for one in source:
        preparation.estimate(**prepare_arguments(one), reporter=reporter, **options)


def describe(folder: str | os.PathLike) -> Iterator[str]:
    """Yields lines on prepared data: the classes' share of the labeled pixels, and what was left out."""
    facts = preparation.metadata(folder)
    for split, entry in facts["splits"].items():
        labeled = sum(entry["labeled"])
        yield f"{split}: {len(entry['names'])} samples, {labeled} labeled; {', '.join(entry['fields']) or 'no fields'}"
        pixels, ignored = facts["class_pixels"][split], facts["ignored_pixels"][split]
        total = sum(pixels) + ignored
        if not total:
            continue
        names = [*facts["space"][1], "(no class)"]
        width = max(map(len, names))
        yield f"  {'class':{width}}  share %  images"
        images = [*facts["class_images"][split], None]
        for name, count, within in zip(names, [*pixels, ignored], images, strict=True):
            yield f"  {name:{width}}  {100 * count / total:7.2f}  {'' if within is None else within:>6}".rstrip()
    left_out = [f"{split}: {line}" for split, lines in facts["left_out"].items() for line in lines]
    if left_out:
        yield f"left out: {len(left_out)} samples, listed in {folder}/{preparation.LEFT_OUT}"
        yield from (f"  {line}" for line in left_out[:SHOWN])


def prepare_arguments(config: config_dict.ConfigDict, splits: Sequence[str] = ()) -> dict[str, Any]:
    """What `data.preparing.prepare` reads of a configuration; by default the splits that it names."""
    data = config.data
    named = (data.train_split, data.video_split, value_of(config, "data.unlabeled_split"), data.val_split)
    return {
        "name": data.dataset,
        "raw_dir": data.raw_dir or None,
        "prepared_dir": data.prepared_dir,
        "size": tuple(data.size),
        "splits": tuple(splits) or tuple(dict.fromkeys(split for split in named if split)),
        **plain(config.dataset),
    }
