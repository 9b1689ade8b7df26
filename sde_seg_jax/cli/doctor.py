"""Checks a data set before anything is trained: python -m sde_seg_jax.cli.doctor --dataset=camvid --raw_dir=DIR

Raw files (--dataset and --raw_dir, or --config with --config.data.raw_dir=DIR) or prepared data (--prepared_dir, or
--config alone): counts, sizes, pairs, unreadable files, label ids and their shares, missing or still neighbors, cameras
and their fields of view. Reads --samples of each split, or --all. Writes a contact sheet with labels over the images.
Exit status: 0 healthy, 1 problems found, 2 bad command line or missing folder.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags as absl_flags
from PIL import Image

from sde_seg_jax.cli import doctor_text as text
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.data import spec
from sde_seg_jax.data.inspecting.inspect import Split
from sde_seg_jax.data.inspecting.inspect_prepared import Prepared, inspect_prepared, names_in
from sde_seg_jax.data.inspecting.inspect_raw import SIZE, inspect_raw
from sde_seg_jax.data.stored.remote import is_remote
from sde_seg_jax.display.contact_sheet import Section, contact_sheet
from sde_seg_jax.experiment.config import UsageError, plain
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.training.log import write_text

PROBLEMS = 1  # exit status
USUAL_SPLITS = {"train_split": "train", "video_split": "train", "val_split": "val"}  # those of BASE
BASE = "configs/base.py"  # the configuration of the next command where none was given
RENDERED = 8  # samples a split of a data set that is rendered: that takes seconds each, and files it has none


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_string("dataset", "", "data set to check, instead of --config", flag_values=values)
    absl_flags.DEFINE_string("raw_dir", "", "its files as downloaded", flag_values=values)
    absl_flags.DEFINE_string("prepared_dir", "", "or what cli.prepare wrote", flag_values=values)
    absl_flags.DEFINE_list("splits", [], "splits to check; default: all, or those of --config", flag_values=values)
    absl_flags.DEFINE_integer("samples", 64, "samples of each split to read", lower_bound=1, flag_values=values)
    absl_flags.DEFINE_bool("all", False, "read every sample", flag_values=values)
    absl_flags.DEFINE_integer("workers", 0, "processes; 0: one a core", lower_bound=0, flag_values=values)
    absl_flags.DEFINE_string("output", "", "contact sheet, a PNG; default: doctor_<dataset>.png", flag_values=values)
    absl_flags.DEFINE_string("report", "", "everything that was found, as JSON, in this file", flag_values=values)


@dataclasses.dataclass(frozen=True)
class Target:
    """What the command line asks to check; of the two folders one is empty, both for rendered data."""

    dataset: str
    raw_dir: str
    prepared_dir: str
    size: tuple[int, int]
    splits: tuple[str, ...] | None
    options: dict[str, Any]


def find_target(arguments: Arguments) -> Target:
    """Reads the flags and the configuration. Raises UsageError where they don't name one thing to check."""
    name, raw_dir, prepared_dir = arguments.dataset, arguments.raw_dir, arguments.prepared_dir
    if raw_dir and prepared_dir:
        raise UsageError("--raw_dir and --prepared_dir are two things to check; give one of them")
    size, splits, options = SIZE, tuple(arguments.splits) or None, {}
    if arguments.path:
        config = arguments.config()
        data = config.data
        if name and name != data.dataset:
            raise UsageError(f"--dataset={name}, but the configuration names {data.dataset!r}; leave one of them out")
        name, size, options = data.dataset, tuple(data.size), plain(config.dataset)
        named = (data.train_split, data.video_split, data.get("unlabeled_split", ""), data.val_split)
        splits = splits or tuple(dict.fromkeys(split for split in named if split))
        if not (raw_dir or prepared_dir):
            raw_dir = data.raw_dir
            prepared_dir = "" if raw_dir or not _is_prepared(name, data.prepared_dir) else data.prepared_dir
    name = name or _only(prepared_dir)
    if spec.find(name).layout is not None and not (raw_dir or prepared_dir):
        raise UsageError(
            f"no files of {name!r} to check; give --raw_dir=DIR (files as downloaded) or --prepared_dir=DIR"
        )
    return Target(name, raw_dir, prepared_dir, size, splits, options)


def _is_prepared(name: str, prepared_dir: str) -> bool:
    return (is_remote(prepared_dir) or pathlib.Path(prepared_dir).is_dir()) and name in names_in(prepared_dir)


def _only(prepared_dir: str) -> str:
    if not prepared_dir:
        raise UsageError("cli.doctor needs --config=FILE, or --dataset=NAME and --raw_dir=DIR, or --prepared_dir=DIR")
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
    return Prepared(splits=splits, pictures=pictures)


def describe(target: Target, found: Prepared) -> list[str]:
    """Everything but the verdict, as lines."""
    where = f"raw files in '{target.raw_dir}'" if target.raw_dir else "rendered samples, there are no raw files"
    lines = [
        f"{target.dataset}: "
        + (f"prepared in '{found.folder or target.prepared_dir}'" if target.prepared_dir else where)
    ]
    if found.facts:
        facts = {key: value for key, value in found.facts.items() if key not in ("schema", "splits") and value != {}}
        lines.append("          " + ", ".join(f"{key} {value}" for key, value in facts.items()))
    for split in found.splits:
        lines += ["", *text.split_lines(split)]
    shares = text.class_lines(found.splits)
    caches = text.cache_lines(found.caches)
    warned = [f"warning   at preparation: {warning}" for warning in found.warnings]
    return [
        *lines,
        *(["", *warned] if warned else []),
        *(["", *shares] if shares else []),
        *(["", *caches] if caches else []),
    ]


def draw(target: Target, found: Prepared, output: str) -> pathlib.Path | None:
    """Writes the contact sheet; None if there is no split to draw."""
    if not found.splits:
        return None
    path = pathlib.Path(output).expanduser() if output else _default_output(target)
    kind = "prepared" if target.prepared_dir else "raw files" if target.raw_dir else "rendered"
    sections = [Section(_heading(split), not split.problems, found.pictures[split.name]) for split in found.splits]
    space = found.splits[0].space
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(f"{target.dataset}, {kind}", sections, space, _shares(found.splits, space))
    Image.fromarray(sheet).save(path, format="PNG")
    return path


def _default_output(target: Target) -> pathlib.Path:
    folder = "" if is_remote(target.prepared_dir) else target.prepared_dir
    return pathlib.Path(folder).expanduser() / f"doctor_{target.dataset}.png"


def _heading(split: Split) -> str:
    sizes = [f"{height} x {width}" for height, width in split.sizes]
    size = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes"
    problems = f", {len(split.problems)} problems" if split.problems else ""
    return f"{split.name}: {split.count} samples, {size}{problems}"


def _shares(splits: Sequence[Split], space: LabelSpace) -> dict[int, float]:
    pixels = sum((split.pixels for split in splits), np.zeros(space.num_classes + 1, int))
    ids = [*range(space.num_classes), space.ignore]
    return {i: float(n / pixels.sum()) for i, n in zip(ids, pixels, strict=True)} if pixels.any() else {}


def next_command(target: Target, arguments: Arguments, found: Prepared) -> str:
    """What to run now that the data is healthy: prepare raw files, train on prepared ones."""
    names = [split.name for split in found.splits]
    keys = {key: value for key, value in arguments.overrides.items() if key != "data.raw_dir"}
    row = f":{arguments.row}" if arguments.path and arguments.row else ""
    if not arguments.path:
        keys["data.dataset"] = target.dataset
        keys |= {f"data.{key}": names[0] for key, usual in USUAL_SPLITS.items() if usual not in names}
    if target.prepared_dir:
        size = list(found.facts["size"])
        keys["data.prepared_dir"] = target.prepared_dir
        if not arguments.path:
            crop = [min(side, 512) for side in size]
            keys |= {"data.size": size, "data.crop": crop, "data.labels": 0}
    elif target.raw_dir:
        keys["data.raw_dir"] = target.raw_dir
    words = ["python", "-m", f"sde_seg_jax.cli.{'train' if target.prepared_dir else 'prepare'}"]
    words += [
        f"--config={arguments.path or BASE}{row}",
        *(f"--config.{k}={v}".replace(", ", ",") for k, v in keys.items()),
    ]
    return shlex.join([*words, *([f"--workdir=runs/{target.dataset}"] if target.prepared_dir else [])])


def main(arguments: Arguments) -> int:
    """Checks, prints, writes the contact sheet; returns the exit status."""
    target = find_target(arguments)
    found = check(target, None if arguments.all else arguments.samples, arguments.workers, sys.stderr.isatty())
    problems = found.problems + [f"{s.name}: {problem}" for s in found.splits for problem in s.problems]
    print("\n".join(describe(target, found)), end="\n\n")
    if arguments.report:
        facts = {"dataset": target.dataset, "facts": dict(found.facts), "caches": dict(found.caches)}
        content = {**facts, "problems": problems, "splits": text.as_json(found.splits)}
        write_text(pathlib.Path(arguments.report), json.dumps(content, indent=1) + "\n")
        print(f"report    {arguments.report}")
    sheet = draw(target, found, arguments.output)
    if sheet is not None:
        print(f"pictures  {sheet}")
    print("\n".join(text.problem_lines(problems)), end="\n" if problems else "")
    if problems:
        print(f"\n{target.dataset}: {text.verdict(found.splits, problems)}")
        return PROBLEMS
    print(f"\n{target.dataset}: healthy; next: {next_command(target, arguments, found)}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
