"""Which samples count as labeled: a number drawn by seed, or a list of names or of indices."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from sde_seg_jax.data.reading.order import CHOOSE
from sde_seg_jax.text_files import nfc, read_lines

INDICES = re.compile(r"#\s*indices into the sorted list of (?P<count>\d+) training files\s*")  # header of a file
DRAWS = ("ours", "published")


def subset(
    source, labels: int | Sequence[str] | str | os.PathLike, seed: int = 0, first: int = 0, draw: str = "ours"
) -> list[str]:
    """Returns the names of the samples whose labels may be used, in the order of `source`.

    Args:
      source: anything with `names` and `labeled`.
      labels: how many to draw from the labeled samples; or the names; or a text file, see `read_list`.
      seed: of the draw; the same seed chooses the same names.
      first: of a text file, take only so many from the top; 0 takes all.
      draw: "ours", or "published" for the samples that the published system draws with this seed.

    Raises:
      ValueError: more are wanted than there are, or a name is unknown.
    """
    check_draw(draw)
    if isinstance(labels, int):
        candidates = np.flatnonzero(source.labeled)
        if not 0 < labels <= len(candidates):
            raise ValueError(f"{labels} labels wanted, but {source.name!r} has {len(candidates)} labeled samples")
        if draw == "published":
            candidates = np.array(sorted(candidates, key=lambda index: source.names[index]))
            chosen = candidates[published_draw(len(candidates), labels, seed)]
        else:
            chosen = np.random.default_rng((CHOOSE, seed)).permutation(candidates)[:labels]
        return [source.names[index] for index in sorted(chosen)]
    if isinstance(labels, (str, os.PathLike)):
        labels = read_list(source, pathlib.Path(labels), first)
    return [source.names[index] for index in indices_of(source, labels)]


def check_draw(draw: str) -> None:
    """Raises a ValueError for a way to draw labels that there is not."""
    if draw not in DRAWS:
        raise ValueError(f"unknown draw of labels {draw!r}; known: {', '.join(DRAWS)}")


def published_draw(count: int, k: int, seed: int) -> np.ndarray:
    """Indices, ascending, of the k of `count` sorted training files that the published system draws with this seed."""
    return np.sort(published_permutation(count, seed)[:k])


def published_permutation(count: int, seed: int) -> np.ndarray:
    """The published system's random order of `count` files: of NumPy's legacy generator, which will not change."""
    return np.random.RandomState(seed).permutation(count)


def read_list(source, path: pathlib.Path, first: int = 0) -> list[str]:
    """Returns the names that a file lists, in its order: all, or the `first` from the top.

    A line holds one sample name, in any form of Unicode. Lines that start with # are comments, but one: after
    `# indices into the sorted list of N training files` a line holds an index from 0 on, and `source` must have N
    samples.

    Raises:
      ValueError: there is no such file, or it is no text; it lists something twice or less than `first`, or an index
        is none.
    """
    if not path.is_file():
        raise ValueError(f"list of labeled names '{path}' does not exist; cli.select writes one, or correct the path")
    try:
        lines = [line for line in read_lines(path) if line]
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read list '{path}' ({error}); expected one sample name a line") from error
    headers = [match for match in map(INDICES.fullmatch, lines) if match]
    listed = [line.replace("\\", "/") for line in lines if not line.startswith("#")]  # no name has a backslash
    if headers:
        listed = _names_at(source, listed, int(headers[0]["count"]), path)
    twice = len(listed) - len(set(listed))
    if twice:
        raise ValueError(f"'{path}' lists {twice} samples more than once")
    if first > len(listed):
        raise ValueError(f"'{path}' lists {len(listed)} samples, {first} are wanted; 0 takes all of them")
    stored = {nfc(name): name for name in source.names} if source is not None else {}
    return [stored.get(name, name) for name in listed[: first or None]]


def _names_at(source, listed: Sequence[str], count: int, path: pathlib.Path) -> list[str]:
    names = sorted(source.names)
    if len(names) != count:
        raise ValueError(f"'{path}' holds indices into {count} training files, but {source.name!r} has {len(names)}")
    wrong = [text for text in listed if not (text.isdecimal() and int(text) < count)]
    if wrong:
        raise ValueError(f"'{path}' holds {wrong[0]!r} among its indices; expected 0 to {count - 1}")
    return [names[int(text)] for text in listed]


def indices_of(source, names: Sequence[str]) -> np.ndarray:
    """Returns the ascending sample indices of `names`; an unknown name is an error."""
    place = {nfc(name): index for index, name in enumerate(source.names)}
    names = [nfc(name) for name in names]
    unknown = [name for name in names if name not in place]
    if unknown:
        raise ValueError(
            f"{len(unknown)} of {len(names)} names are not in {source.name!r}, the first is {unknown[0]!r}; "
            f"names there look like {source.names[0]!r}"
        )
    return np.array(sorted({place[name] for name in names}), np.int64)
