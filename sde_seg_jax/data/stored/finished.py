"""Finding prepared data, and what is recorded about them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from etils import epath

from sde_seg_jax.data.fields import FIELDS
from sde_seg_jax.data.spec import DatasetSpec
from sde_seg_jax.data.stored import remote
from sde_seg_jax.data.stored.far_files import ORIGIN, limit, origin
from sde_seg_jax.data.stored.far_shards import FarShards
from sde_seg_jax.data.stored.shard_files import ShardFiles
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.state_files.reading import DamagedFile, checked, parse
from sde_seg_jax.state_files.schemas import PREPARED, VERSIONED

SCHEMA = 2  # raise it when the stored form changes for all data sets
VERSION = re.compile(r"\d+\.\d+\.\d+")  # of a finished folder; unfinished ones have a longer name
WHOLE = "metadata.json"  # the last file to come
AGAIN = "delete that folder and prepare again"
RAW = "raw"  # key of the metadata: the state of the raw files, of data sets that notice changes
LEFT_OUT = "left_out.txt"  # file beside the data: a line for each sample that is not stored


def find_prepared(spec: DatasetSpec, prepared_dir: str | os.PathLike) -> epath.Path | None:
    """Returns the finished folder of `spec` in `prepared_dir`, None if there is none.

    Of one that is far away it is a folder in ~/.cache/sde_seg_jax/prepared or the one that SDE_SEG_CACHE names, which
    has the small files; `records_of` copies the others when they are read.

    Raises:
      ValueError: there is one, but of another version; or it can't be reached.
    """
    found = find_finished(spec, prepared_dir)
    if found is None or not remote.is_remote(found):
        return found
    return epath.Path(remote.mirror(found, remote.read_text(f"{found}/{WHOLE}"), ORIGIN))


def metadata(folder: str | os.PathLike) -> dict[str, Any]:
    """Returns what preparation recorded about the data in `folder`:

      recipe          what was asked for
      space           [name, classes, colors, ignore], see `label_space`
      splits          {split: {names, labeled: one flag a sample, fields: optional fields that it has}}
      class_pixels    {split: [C]} at the stored size, class_images {split: [C]}: images containing the class,
      ignored_pixels  {split: n}; all of labeled samples
      left_out        {split: messages}, samples that are not stored; skip_bad: were they allowed?
      warnings        one line for each kind
      shards          {split: {lengths: records of each file, bytes}}
      raw             {what: {count, digest}} of the raw files, or absent: see `preparing.raw_state`

    Raises:
      ValueError: an incompatible version of this package wrote it, or it is damaged; names the place in it.
    """
    file = f"{folder}/{WHOLE}"
    try:
        facts = parse(_text(folder), file, VERSIONED, AGAIN)
        found = facts["recipe"]["schema"]
        if found != SCHEMA:
            raise ValueError(f"'{folder}' has schema {found}, wanted {SCHEMA}; {AGAIN}")
        checked(facts, file, PREPARED, AGAIN)
        for complaint in _contradictions(facts):
            raise DamagedFile(file, complaint, AGAIN)
    except OSError as error:
        raise ValueError(f"cannot read '{file}' ({error}); {AGAIN}") from error
    except DamagedFile as error:
        raise ValueError(f"cannot read '{file}' ({error.reason}); {AGAIN}") from error
    return facts


def label_space(facts: dict[str, Any]) -> LabelSpace:
    """Returns the label space that `metadata` names."""
    name, classes, colors, ignore = facts["space"]
    return LabelSpace(name, tuple(classes), tuple(map(tuple, colors)), ignore)


def find_finished(spec: DatasetSpec, prepared_dir: str | os.PathLike) -> epath.Path | str | None:
    """As `find_prepared`, but the address where the data really are."""
    far = remote.is_remote(prepared_dir)
    if far:
        base = f"{os.fspath(prepared_dir).rstrip('/')}/{spec.name}"
        named = {name: f"{base}/{name}" for name in remote.subfolders(base) if VERSION.fullmatch(name)}
        found = {name: url for name, url in named.items() if remote.read_text(f"{url}/{WHOLE}") is not None}
    else:
        base = epath.Path(remote.local_path(prepared_dir)) / spec.name
        found = {path.name: path for path in base.iterdir() if VERSION.fullmatch(path.name)} if base.exists() else {}
    if found and spec.version not in found:
        version, path = next(iter(found.items()))
        raise ValueError(
            f"'{path}' holds {spec.name!r} version {version}, wanted {spec.version}; "
            f"delete that folder or choose another prepared_dir"
        )
    return found.get(spec.version)


def still_wanted(folder: str | os.PathLike, wanted: dict[str, Any], *, any_format: bool = False) -> dict[str, Any]:
    """Returns the recipe of the splits that finished data lack of what is `wanted`, to be added to them.

    Raises:
      ValueError: they were prepared otherwise, naming the first difference; or they are far away, where nothing
        can be added.
    """
    found = metadata(folder)["recipe"]
    missing = [split for split in wanted["splits"] if split not in found["splits"]]
    for key in wanted:
        if (key == "splits" and not (missing and remote.is_remote(folder))) or (key == "image_format" and any_format):
            continue
        if found.get(key) != wanted[key]:
            raise ValueError(
                f"'{folder}' was prepared with {key} {found.get(key)}, wanted {wanted[key]}; "
                f"delete that folder or choose another prepared_dir"
            )
    return {**wanted, "splits": missing, "image_format": found["image_format"]}


def _text(folder: str | os.PathLike) -> str | bytes:
    """Of the metadata; empty if there are none far away."""
    if remote.is_remote(folder):
        return remote.read_text(f"{folder}/{WHOLE}") or ""
    return epath.Path(folder).joinpath(WHOLE).read_bytes()


def _contradictions(facts: dict[str, Any]) -> Iterator[str]:
    """What does not go together in metadata of the right form."""
    _, classes, colors, _ = facts["space"]
    if len(classes) != len(colors):
        yield f"space names {len(classes)} classes and {len(colors)} colors"
    for split, here in facts["splits"].items():
        if len(here["labeled"]) != len(here["names"]):
            yield f"splits.{split} has {len(here['names'])} names and {len(here['labeled'])} flags of labels"
        for field in here["fields"]:
            if field not in FIELDS:
                yield f"splits.{split}.fields has '{field}', which is none; known: {', '.join(FIELDS)}"
        for key in ("class_pixels", "class_images", "ignored_pixels", "left_out", "shards"):
            if split not in facts[key]:
                yield f"{key} lacks '{split}'"
        for key in ("class_pixels", "class_images"):
            if len(facts[key][split]) != len(classes):
                yield f"{key}.{split} counts {len(facts[key][split])} classes of {len(classes)}"


def records_of(folder: str | os.PathLike, name: str, split: str, facts: dict[str, Any]) -> ShardFiles | FarShards:
    """The records of a split of the data set `name`. Raises ValueError if a file is missing."""
    lengths = facts["shards"][split]["lengths"]
    total = len(lengths)
    files = [f"{name}-{split}{remote.SHARDS}{i:05d}-of-{total:05d}" for i in range(total)]
    far = origin(folder)
    if far is not None:
        limit()  # a mistyped one is told before anything is read
        return FarShards(far, list(zip(files, lengths, strict=True)), AGAIN)
    paths = [f"{os.fspath(folder)}/{file}" for file in files]
    return ShardFiles(list(zip(paths, lengths, strict=True)), AGAIN)
