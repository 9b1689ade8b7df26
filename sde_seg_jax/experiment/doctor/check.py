"""Whether a data set can be trained on: what is to be checked, the check, and what to run when all is well."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.data import spec
from sde_seg_jax.data.annotation import palette
from sde_seg_jax.data.inspecting.inspect import Split
from sde_seg_jax.data.inspecting.inspect_prepared import Prepared, inspect_prepared, names_in
from sde_seg_jax.data.inspecting.inspect_raw import SIZE, inspect_raw
from sde_seg_jax.data.inspecting.measure import NOT_SQUARE
from sde_seg_jax.data.own.found import CLASSES
from sde_seg_jax.data.stored.remote import is_remote
from sde_seg_jax.experiment.config import ConfigFile, UsageError, plain, value_of

USUAL_SPLITS = {"train_split": "train", "video_split": "train", "val_split": "val"}  # those of BASE
OWN_FILES = "folder"
BASE = "base"  # the configuration of the next command where none was given
SQUEEZED = 1.25  # ratio of two shapes that is worth a word
MULTIPLE = 32  # pixels: sides that fit every network here
RENDERED = 8  # samples a split of a data set that is rendered: that takes seconds each, and files it has none


@dataclasses.dataclass(frozen=True)
class Target:
    """What is to be checked; of the two folders one is empty, both for rendered data."""

    dataset: str
    raw_dir: str
    prepared_dir: str
    size: tuple[int, int]
    splits: tuple[str, ...] | None
    options: dict[str, Any]


def find_target(
    name: str = "",
    raw_dir: str = "",
    prepared_dir: str = "",
    splits: Sequence[str] = (),
    config: config_dict.ConfigDict | None = None,
) -> Target:
    """What is to be checked: what is named, and else what the configuration names. Raises UsageError unless it is one.

    Args:
      name: of the data set.
      raw_dir: its files as downloaded; or
      prepared_dir: what was prepared of them.
      splits: to check; empty: all, or those of the configuration.
      config: of what to check; without it a name or a prepared folder is needed.
    """
    if raw_dir and prepared_dir:
        raise UsageError("--raw_dir and --prepared_dir are two things to check; give one of them")
    size, chosen, options = SIZE, tuple(splits) or None, {}
    if config is not None:
        data = config.data
        if name and name != data.dataset:
            raise UsageError(f"--dataset={name}, but the configuration names {data.dataset!r}; leave one of them out")
        name, size, options = data.dataset, tuple(data.size), plain(config.dataset)
        named = (data.train_split, data.video_split, value_of(config, "data.unlabeled_split"), data.val_split)
        chosen = chosen or tuple(dict.fromkeys(split for split in named if split))
        if not (raw_dir or prepared_dir):
            raw_dir = data.raw_dir
            prepared_dir = "" if raw_dir or not _is_prepared(name, data.prepared_dir) else data.prepared_dir
    name = name or _only(prepared_dir)
    if spec.find(name).layout is not None and not (raw_dir or prepared_dir):
        raise UsageError(
            f"no files of {name!r} to check; give --raw_dir=DIR (files as downloaded) or --prepared_dir=DIR"
        )
    return Target(name, raw_dir, prepared_dir, size, chosen, options)


def _is_prepared(name: str, prepared_dir: str) -> bool:
    return (is_remote(prepared_dir) or pathlib.Path(prepared_dir).is_dir()) and name in names_in(prepared_dir)


def _only(prepared_dir: str) -> str:
    found = [name for name in names_in(prepared_dir) if name in spec.known()]
    if len(found) != 1:
        raise UsageError(f"'{prepared_dir}' holds {', '.join(found) or 'no data set'}; give --dataset=NAME to choose")
    return found[0]


def check(target: Target, samples: int | None, workers: int, progress: bool) -> Prepared:
    """Looks at what the target names; raw files have no folder of their own in the result."""
    common = {"splits": target.splits, "workers": workers or None, "progress": progress}
    if target.prepared_dir:
        return inspect_prepared(target.dataset, target.prepared_dir, samples=samples, **common)
    if spec.find(target.dataset).layout is None:
        samples = min(samples or RENDERED, RENDERED)
    raw_dir = pathlib.Path(target.raw_dir).expanduser() if target.raw_dir else None
    splits, pictures = inspect_raw(
        target.dataset, raw_dir, samples=samples, size=target.size, **common, **target.options
    )
    if target.dataset == OWN_FILES and raw_dir is not None:
        _ask_about_ids(raw_dir / CLASSES, splits)
        _tell_of_pixels(splits)
        if target.size != SIZE:
            _tell_of_shape(target.size, splits)
    return Prepared(splits=splits, pictures=pictures)


def _ask_about_ids(path: pathlib.Path, splits: Sequence[Split]) -> None:
    """Adds a note to the first split if the ids of labels may count from 1."""
    labeled = [split.pixels for split in splits if split.having("label")]
    if labeled and (question := palette.first_is_missing(palette.read_classes(str(path)), sum(labeled)[:-1])):
        splits[0].notes = [*splits[0].notes, question]


def _tell_of_pixels(splits: Sequence[Split]) -> None:
    """Adds a note to a split whose cameras say that pixels are not square."""
    for split in splits:
        ratios = {round(one.fy / one.fx, 2) for one in split.cameras if one.fx > 0} if split.judge_cameras else set()
        split.notes = [
            *split.notes,
            *(
                f"fy / fx of the camera is {ratio:.2f}: right only if the pixels of the video are not square"
                for ratio in sorted(ratios)
                if abs(ratio - 1) > NOT_SQUARE
            ),
        ]


def _tell_of_shape(size: tuple[int, int], splits: Sequence[Split]) -> None:
    """Adds a note to the first split if most of its images are of quite another shape than what is trained on."""
    if not (sizes := splits[0].sizes):
        return
    height, width = max(sizes, key=sizes.__getitem__)
    stretched = width * size[0] / (height * size[1])
    if 1 / SQUEEZED <= stretched <= SQUEEZED:
        return
    across = math.sqrt(size[0] * size[1] * width / height)  # as many pixels as now
    fitting = [max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE) for side in (across * height / width, across)]
    splits[0].notes = [
        *splits[0].notes,
        f"images of {height} x {width} are squeezed to {size[0]} x {size[1]}, another shape; their own is kept by "
        f"--config.data.size='({fitting[0]},{fitting[1]})' and a --config.data.crop that is not larger",
    ]


def problems_of(found: Prepared) -> list[str]:
    """Everything that is wrong, one a line; what is the same in several splits, once."""
    return found.problems + _by_split(found, lambda split: split.problems)


def notes_of(found: Prepared) -> list[str]:
    """What to know, though nothing is wrong, likewise."""
    return _by_split(found, lambda split: [*split.counts, *split.notes])


def _by_split(found: Prepared, lines: Callable[[Split], Sequence[str]]) -> list[str]:
    where: dict[str, list[str]] = {}
    for split in found.splits:
        for line in lines(split):
            where.setdefault(line, []).append(split.name)
    return [f"{', '.join(dict.fromkeys(names))}: {line}" for line, names in where.items()]


def next_command(target: Target, file: ConfigFile, found: Prepared) -> str:
    """What to run now that the data is healthy: prepare raw files, train on prepared ones; `file.path` may be empty."""
    names = [split.name for split in found.splits]
    keys = {key: value for key, value in file.overrides.items() if key != "data.raw_dir"}
    row = f":{file.row}" if file.path and file.row else ""
    if not file.path:
        keys["data.dataset"] = target.dataset
        keys |= {f"data.{key}": names[0] for key, usual in USUAL_SPLITS.items() if usual not in names}
    if target.prepared_dir:
        size = list(found.facts["size"])
        keys["data.prepared_dir"] = target.prepared_dir
        if not file.path:
            crop = [min(side, 512) for side in size]
            keys |= {"data.size": size, "data.crop": crop, "data.labels": 0}
    elif target.raw_dir:
        keys["data.raw_dir"] = target.raw_dir
    whole = target.raw_dir and file.path and "unlabeled" in file.config().get("pipeline", {})  # one's own files
    command = "train" if target.prepared_dir else "pipeline" if whole else "prepare"
    words = ["python", "-m", f"sde_seg_jax.cli.{command}"]
    words += [
        f"--config={file.path or BASE}{row}",
        *(f"--config.{k}={v}".replace(", ", ",") for k, v in keys.items()),
    ]
    return shlex.join([*words, *([] if command == "prepare" else [f"--workdir=runs/{target.dataset}"])])
