"""How much selections agree: python -m sde_seg_jax.cli.overlap --ours=DIR --other=FILE[,FILE...]

For n labels: how many of the first n of one list are among the first n of the other, beside what random lists would
share (mean and standard deviation); and the first of both, rank by rank. A list is a workdir of cli.select, its
selection.csv, or a text file as data.label_file reads it: configs/paper/selections/cityscapes_ds_us_42.txt. Where one
holds names and another indices, --config=FILE names the data set, which must be prepared; with it, names are checked.
--steps=25,50,100: the numbers of labels; default: 25, 50, 100, 200, 372, 744, as published, and the shorter list's.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags as absl_flags
from ml_collections import config_dict

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.data.reading.subset import INDICES, indices_of, read_list
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.selection.files import TABLE
from sde_seg_jax.experiment.table.file import numbers
from sde_seg_jax.selection.overlap import overlap

STEPS = (25, 50, 100, 200, 372, 744)  # labels after each published step
SHOWN = 5  # first ranks that are printed side by side


def flags(values: absl_flags.FlagValues) -> None:
    """The flags of cli.overlap."""
    absl_flags.DEFINE_string("ours", "", "a workdir of cli.select, or a list", flag_values=values)
    absl_flags.DEFINE_string("other", "", "lists to compare it with: a,b", flag_values=values)
    absl_flags.DEFINE_string("steps", "", "numbers of labels, such as 25,50,100", flag_values=values)


@dataclasses.dataclass(frozen=True)
class Numbered:
    """Stands for a data set of which only the number of samples is known: names that sort like their indices."""

    count: int
    name: str = "data set"

    @property
    def names(self) -> list[str]:
        """One for each sample."""
        return [f"{index:0{len(str(self.count))}d}" for index in range(self.count)]


def read_lists(paths: Sequence[pathlib.Path], source: Any = None) -> tuple[list[list[str]], int | None]:
    """The names in every list, best first; how many samples they were chosen from, None if that is not known.

    `source`: the data set, with `name` and `names`. Raises ValueError for a list that cannot be read, for names that
    `source` lacks, and for lists of names and of indices together without a `source`.
    """
    files = [_file(path) for path in paths]
    counts = {path: _count(path) for path in files}
    indexed = {path: count for path, count in counts.items() if count is not None}
    if source is None and indexed:
        if len(indexed) < len(counts):
            named = next(path for path in files if path not in indexed)
            raise UsageError(
                f"{next(iter(indexed))} holds indices, {named} names: give --config=FILE, the configuration of the "
                "data set that they are of"
            )
        if len(set(indexed.values())) > 1:
            told = ", ".join(f"{path}: {count}" for path, count in indexed.items())
            raise UsageError(f"the lists are of different data sets, by the number of training files ({told})")
        source = Numbered(next(iter(indexed.values())))
    lists = [_names(path, source) for path in files]
    for names in lists if source is not None else ():
        indices_of(source, names)  # an unknown name is an error
    return lists, None if source is None else len(source.names)


def _file(path: pathlib.Path) -> pathlib.Path:
    file = path / TABLE if path.is_dir() else path
    if not file.is_file():
        hint = "no selection there, run cli.select" if path.is_dir() else "no such file"
        raise UsageError(f"{file}: {hint}; expected a workdir of cli.select, {TABLE} or a text file of names")
    return file


def _count(path: pathlib.Path) -> int | None:
    """The number of training files that a list of indices is of; None for a list of names."""
    matches = (INDICES.fullmatch(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())
    return next((int(match["count"]) for match in matches if match), None)


def _names(path: pathlib.Path, source: Any) -> list[str]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            names = [row.get("name") for row in csv.DictReader(file)]
        if None in names:
            raise UsageError(f"{path} has no column 'name'; expected {TABLE} of cli.select")
    else:
        names = read_list(source, path)
    if not names:
        raise UsageError(f"{path} lists nothing")
    return names


def steps_of(text: str, longest: int) -> tuple[int, ...]:
    """The numbers of labels to compare at: those of --steps, or the published ones that fit. Raises UsageError."""
    steps = numbers(text, (), "steps")
    wrong = [step for step in steps if not 0 < step <= longest]
    if wrong:
        raise UsageError(f"--steps={text}: {wrong[0]} is not between 1 and {longest}, what the shorter list holds")
    return steps or (*(step for step in STEPS if step < longest), longest)


def compare(ours: Sequence[str], other: Sequence[str], steps: Sequence[int], total: int | None) -> Iterator[str]:
    """Lines for people about two lists."""
    yield f"{'labels':>8}{'common':>8}{'share':>9}   by chance"
    for found in overlap(ours, other, steps, total):
        share = 100 * found.common / found.step
        yield f"{found.step:>8}{found.common:>8}{share:>7.1f} %   {_chance(found.step, total)}"
    same = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(ours, other, strict=False))))
    yield f"the same, rank by rank, up to rank {same}" if same else "the first of both differ"
    rank = {name: place for place, name in enumerate(ours, start=1)}
    wide = max(len(name) for name in (*ours[:SHOWN], *other[:SHOWN], "ours"))
    yield f"{'rank':>8}  {'ours':<{wide}}  {'other':<{wide}}  rank of that in ours"
    for place, (first, second) in enumerate(zip(ours[:SHOWN], other[:SHOWN], strict=False), start=1):
        yield f"{place:>8}  {first:<{wide}}  {second:<{wide}}  {rank.get(second, 'not there')}"


def _chance(step: int, total: int | None) -> str:
    """Mean and standard deviation in % of what two random lists share: hypergeometric, `step` drawn of `total`."""
    if total is None:
        return "not known: of how many, tells --config"
    share = step / total
    deviation = (1 - share) / math.sqrt(total - 1) if total > 1 else 0.0  # sqrt(n p (1-p) (N-n)/(N-1)) / n, p = n/N
    return f"{100 * share:.1f} ± {100 * deviation:.1f} %"


def open_samples(config: config_dict.ConfigDict) -> Any:
    """The prepared samples that a configuration selects from. Raises ValueError if they are not prepared."""
    from sde_seg_jax.data.reading.source import open_source  # TFDS takes long to import, and most lists need none

    return open_source(config.data.dataset, config.data.prepared_dir, config.data.train_split)


def main(arguments: Arguments) -> None:
    """Compares the lists of the command line."""
    others = [pathlib.Path(path.strip()).expanduser() for path in arguments.other.split(",") if path.strip()]
    if not arguments.ours or not others:
        raise UsageError("cli.overlap needs --ours=DIR and --other=FILE")
    source = open_samples(arguments.config()) if arguments.path else None
    (ours, *lists), total = read_lists([pathlib.Path(arguments.ours).expanduser(), *others], source)
    print(f"ours: {arguments.ours}, {len(ours)} samples" + (f" of {total}" if total else ""))
    for path, other in zip(others, lists, strict=True):
        print(f"\nother: {path}, {len(other)} samples")
        for line in compare(ours, other, steps_of(arguments.steps, min(len(ours), len(other))), total):
            print(line)


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
