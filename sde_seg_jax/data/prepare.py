"""Writes a data set once, downsized, versioned, with random access; training reads only what this wrote."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from etils import epath
from tqdm import tqdm

from sde_seg_jax.data import codec, parallel, raw
from sde_seg_jax.data.spec import DatasetSpec, Size, find

SCHEMA = 1  # raise it when the stored form changes for all data sets
VERSION = re.compile(r"\d+\.\d+\.\d+")  # of a finished folder; unfinished ones have a longer name


def prepare(
    name: str | DatasetSpec,
    *,
    raw_dir: str | os.PathLike | None = None,
    prepared_dir: str | os.PathLike,
    size: Size,
    splits: Sequence[str] | None = None,
    image_format: str = "jpeg",
    workers: int | None = None,
    progress: bool = True,
    **options: Any,
) -> epath.Path:
    """Prepares data set `name` below `prepared_dir` (a local folder or a bucket) and returns its folder.

    A second call finds the finished data and returns at once. An interrupted call leaves nothing that
    looks finished.

    Args:
      name: module in `data.datasets`, or a description.
      raw_dir: the raw files; not needed by data sets that are rendered.
      prepared_dir: `<name>/<version>` is made in it.
      size: (height, width) in pixels of the stored images.
      splits: which to write; None: all.
      image_format: "jpeg" (quality 98) or "png" (exact, several times larger and slower to read).
      workers: processes; None: one a core.
      progress: show a bar with the time left.
      **options: of the data set.

    Raises:
      ValueError: raw files are missing, broken or inconsistent (naming file and remedy), or `prepared_dir`
        holds data of another version or with other options.
    """
    spec = find(name)
    recipe = _recipe(spec, size, splits, image_format, options)
    finished = find_prepared(spec, prepared_dir)
    if finished is not None:
        _check_recipe(finished, recipe)
        return finished
    if spec.layout is not None:
        raw_dir = raw.folder(raw_dir, spec.name, spec.layout)
    complete = spec.complete(options)
    problems = raw.Problems()
    items = {split: spec.items(split, raw_dir, problems=problems, **complete) for split in recipe["splits"]}
    for split, found in items.items():
        if not len(found):
            raise ValueError(f"split {split!r} of {spec.name!r} is empty; leave it out of `splits`")
    return _write(spec, items, recipe, prepared_dir, workers or os.cpu_count(), progress)


def find_prepared(spec: DatasetSpec, prepared_dir: str | os.PathLike) -> epath.Path | None:
    """Returns the finished folder of `spec` in `prepared_dir`, None if there is none.

    Raises:
      ValueError: there is one, but of another version.
    """
    base = epath.Path(prepared_dir) / spec.name
    if not base.exists():
        return None
    found = [path for path in base.iterdir() if VERSION.fullmatch(path.name)]
    for path in found:
        if path.name == spec.version:
            return path
    if found:
        raise ValueError(
            f"'{found[0]}' holds {spec.name!r} version {found[0].name}, wanted {spec.version}; "
            f"delete that folder or choose another prepared_dir"
        )
    return None


def metadata(folder: epath.Path) -> dict[str, Any]:
    """Returns what the builder recorded: `recipe`, and `splits` with names, labeled flags and fields.

    Raises:
      ValueError: an incompatible version of this package wrote it.
    """
    facts = json.loads((folder / "metadata.json").read_text())
    found = facts["recipe"]["schema"]
    if found != SCHEMA:
        raise ValueError(f"'{folder}' has schema {found}, wanted {SCHEMA}; delete that folder and prepare again")
    return facts


def _recipe(spec: DatasetSpec, size: Size, splits, image_format: str, options) -> dict[str, Any]:
    """What was asked for, as JSON values: equal recipes make equal data."""
    unknown = [split for split in splits or () if split not in spec.splits]
    if unknown:
        raise ValueError(f"{spec.name!r} has no split {unknown[0]!r}; it has {list(spec.splits)}")
    if image_format not in codec.CODECS:
        raise ValueError(f"unknown image_format {image_format!r}; known: {list(codec.CODECS)}")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size {size} is no (height, width) in pixels")
    recipe = {
        "schema": SCHEMA,
        "size": [int(side) for side in size],
        "image_format": image_format,
        "options": spec.complete(options),
        "splits": [split for split in spec.splits if splits is None or split in splits],
    }
    return json.loads(json.dumps(recipe))


def _check_recipe(folder: epath.Path, wanted: dict[str, Any]) -> None:
    found = metadata(folder)["recipe"]
    for key in wanted:
        if key == "splits" and set(wanted[key]) <= set(found[key]):
            continue
        if found.get(key) != wanted[key]:
            raise ValueError(
                f"'{folder}' was prepared with {key} {found.get(key)}, wanted {wanted[key]}; "
                f"delete that folder or choose another prepared_dir"
            )


def _write(spec, items, recipe, prepared_dir, workers: int, progress: bool) -> epath.Path:
    import tensorflow_datasets as tfds

    from sde_seg_jax.data.builder import PreparedBuilder

    tfds.disable_progress_bar()  # one bar is enough, and ours knows the time left
    counts = {split: len(found) for split, found in items.items()}
    encode = functools.partial(codec.encode, spec, size=tuple(recipe["size"]), image_format=recipe["image_format"])
    everything = list(itertools.chain.from_iterable(items.values()))
    with (
        tempfile.TemporaryDirectory() as downloads,  # stays empty: nothing is ever fetched
        contextlib.redirect_stdout(io.StringIO()),  # TFDS announces downloads all the same
        contextlib.closing(parallel.in_order(encode, everything, workers)) as examples,
        tqdm(total=len(everything), desc=spec.name, unit="img", disable=not progress) as bar,
    ):
        builder = PreparedBuilder(spec, counts, _counted(examples, bar), recipe, data_dir=prepared_dir)
        builder.download_and_prepare(
            download_dir=downloads, download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    return epath.Path(builder.data_dir)


def _counted(examples: Iterator[Any], bar: tqdm) -> Iterator[Any]:
    for example in examples:
        bar.update()  # before handing over: the writer leaves the last one suspended
        yield example
