"""Which samples count as labeled: a number drawn by seed, or a list of names."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from sde_seg_jax.data.order import CHOOSE


def subset(source, labels: int | Sequence[str] | str | os.PathLike, seed: int = 0) -> list[str]:
    """Returns the names of the samples whose labels may be used, in the order of `source`.

    Args:
      source: anything with `names` and `labeled`.
      labels: how many to draw from the labeled samples; or the names; or a text file with a name a line.
      seed: of the draw; the same seed chooses the same names.

    Raises:
      ValueError: more are wanted than there are, or a name is unknown.
    """
    if isinstance(labels, int):
        candidates = np.flatnonzero(source.labeled)
        if not 0 < labels <= len(candidates):
            raise ValueError(f"{labels} labels wanted, but {source.name!r} has {len(candidates)} labeled samples")
        chosen = np.random.default_rng((CHOOSE, seed)).permutation(candidates)[:labels]
        return [source.names[index] for index in sorted(chosen)]
    if isinstance(labels, (str, os.PathLike)):
        path = pathlib.Path(labels)
        if not path.is_file():
            raise ValueError(f"list of labeled names '{path}' does not exist")
        labels = path.read_text().split()
    return [source.names[index] for index in indices_of(source, labels)]


def indices_of(source, names: Sequence[str]) -> np.ndarray:
    """Returns the ascending sample indices of `names`; an unknown name is an error."""
    place = {name: index for index, name in enumerate(source.names)}
    unknown = [name for name in names if name not in place]
    if unknown:
        raise ValueError(
            f"{len(unknown)} of {len(names)} names are not in {source.name!r}, the first is {unknown[0]!r}; "
            f"names there look like {source.names[0]!r}"
        )
    return np.array(sorted({place[name] for name in names}), np.int64)
