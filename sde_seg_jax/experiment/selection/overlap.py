"""How much selections agree, for people: lists read from wherever they are, and what random lists would share."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.data.reading.subset import INDICES, indices_of, read_list
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.selection.cells import read_rows
from sde_seg_jax.experiment.selection.files import TABLE
from sde_seg_jax.experiment.table.file import numbers
from sde_seg_jax.selection.overlap import overlap
from sde_seg_jax.text_files import nfc, read_lines

STEPS = (25, 50, 100, 200, 372, 744)  # labels after each published step
SHOWN = 5  # first ranks that are printed side by side


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
    matches = map(INDICES.fullmatch, _told(path, read_lines))
    return next((int(match["count"]) for match in matches if match), None)


def _names(path: pathlib.Path, source: Any) -> list[str]:
    if path.suffix == ".csv":
        rows = _told(path, read_rows)
        if not rows or "name" not in rows[0]:
            raise UsageError(f"{path} has no column 'name'; expected {TABLE} of cli.select")
        place = rows[0].index("name")
        short = [number for number, row in enumerate(rows, 1) if len(row) <= place]
        if short:
            raise UsageError(f"{path}: row {short[0]} has no 'name'; expected {TABLE} of cli.select")
        names = [nfc(row[place]) for row in rows[1:]]
    else:
        names = read_list(source, path)
    if not names:
        raise UsageError(f"{path} lists nothing")
    return names


def _told(path: pathlib.Path, read: Callable[[pathlib.Path], list]) -> list:
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{path}' ({error}); expected {TABLE} or a text file of names") from error


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
