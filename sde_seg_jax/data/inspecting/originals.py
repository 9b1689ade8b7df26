"""Frames of prepared samples as the raw files hold them: unresized, and under the path that a label of them mirrors."""

from __future__ import annotations

import functools
import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.own import clips
from sde_seg_jax.data.own.clip_labels import keys
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.reading.source import PreparedSource
from sde_seg_jax.data.spec import DatasetSpec, Size


class Original(NamedTuple):
    """One frame: its path below the raw folder without suffix (or its name), and how to get it, uint8 RGB [h,w,3]."""

    key: str
    read: Callable[[], np.ndarray]


def raw_frames(
    spec: DatasetSpec, split: str, raw_dir: pathlib.Path, options: Mapping[str, Any], stored: PreparedSource, names
) -> dict[str, Original]:
    """Sample name -> frame of the raw files, of those `names` that are there.

    Args:
      spec, split, raw_dir, options: what was prepared, and the options of the data set.
      stored: that split, prepared: it knows the order of the samples.
      names: which samples.

    Raises:
      ValueError: raw files are missing or ambiguous. `Original.read` raises it for files that can't be read, or are
        not those that were prepared.
    """
    if spec is folder.SPEC:  # its splits change with its labels, its frames do not
        return _of_clips(raw_dir, set(names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # told when they were prepared
        items = spec.items(split, raw_dir, problems=raw.Problems(skip=True), **spec.complete(options))
    place = {name: index for index, name in enumerate(stored.names)}
    more = max(0, len(items) - len(place))  # samples that were left out; any number of them before this one
    return {
        name: Original(
            name, functools.partial(_load, spec, items[place[name] : place[name] + more + 1], stored.size, name)
        )
        for name in names
        if name in place
    }


def stored_frames(stored: PreparedSource, names: Sequence[str]) -> dict[str, Original]:
    """Sample name -> frame as it was stored, downsized; of those `names` that are there."""
    place = {name: index for index, name in enumerate(stored.names)}
    return {name: Original(name, functools.partial(_stored, stored, place[name])) for name in names if name in place}


def _of_clips(raw_dir: pathlib.Path, names: set[str]) -> dict[str, Original]:
    problems, found = raw.Problems(skip=True), {}
    wanted = {name.rpartition("/")[0] for name in names}
    for listed in clips.find(raw_dir):
        clip = clips.open_clip(*listed, 1, 0.0, problems) if clips.safe_name(listed[0]) in wanted else None
        for frame, inner, key in zip(clip.frames, clip.names, keys(raw_dir, clip), strict=True) if clip else ():
            name = clips.safe_name(f"{clip.name}/{inner}")
            if name in found:
                raise ValueError(
                    f"'{found[name].key}' and '{key}' in '{raw_dir}' are both called {name!r} where they are prepared; "
                    f"rename one"
                )
            if name in names:
                found[name] = Original(key, functools.partial(clips.read, frame))
    return found


def _load(spec: DatasetSpec, items: Sequence[Any], size: Size, name: str) -> np.ndarray:
    """The image of the first of the items that has this name; nothing but loading an item tells its name."""
    problem = None
    for item in items:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of its label
                example = spec.load(item, size)
        except ValueError as error:  # of this one, or of one that was left out for it
            problem = problem or error
            continue
        if example["name"] == name:
            return example["image"]
    raise problem or ValueError(
        f"the raw files of {spec.name!r} are not those that were prepared: {name!r} is not at its place; set "
        f"data.raw_dir and the options (config.dataset) to those"
    )


def _stored(stored: PreparedSource, index: int) -> np.ndarray:
    return stored.read(index, ())["image"]
