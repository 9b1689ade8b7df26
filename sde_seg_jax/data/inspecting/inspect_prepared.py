"""Checks prepared data: what was recorded, whether every record can be read, and what the samples hold."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from tqdm import tqdm

from sde_seg_jax.data.inspecting.inspect import Split, spread
from sde_seg_jax.data.inspecting.inspect_raw import cameras_matter
from sde_seg_jax.data.inspecting.measure import Sample, measure
from sde_seg_jax.data.inspecting.thumbnails import Thumbnail, shrink
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored import remote
from sde_seg_jax.data.stored.finished import AGAIN, VERSION, WHOLE, find_prepared, metadata
from sde_seg_jax.state_files.reading import DamagedFile, read_json
from sde_seg_jax.state_files.schemas import DATASET_INFO, FEATURES, OPTIONS

CONTINUE = "run the same prepare command to continue"
REMEDY = "correct the camera in the raw files, then prepare again"


@dataclasses.dataclass
class Prepared:
    """What is stored of one data set.

    Attributes:
      folder: of the version, None if none is finished.
      facts: what was asked for: version, size, image format, options, ...
      problems: of the folder as a whole.
      warnings: that preparation gave.
      splits: what is in each.
      pictures: of some samples of each split.
      caches: depth caches beside it, as (path below the folder, content).
    """

    folder: epath.Path | None = None
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    splits: list[Split] = dataclasses.field(default_factory=list)
    pictures: dict[str, list[Thumbnail]] = dataclasses.field(default_factory=dict)
    caches: list[tuple[str, Mapping[str, Any]]] = dataclasses.field(default_factory=list)


def names_in(prepared_dir: str | os.PathLike) -> list[str]:
    """The data sets in a folder, finished or not. Raises a ValueError if there is no such folder."""
    if not (remote.is_remote(prepared_dir) or remote.local_path(prepared_dir).is_dir()):
        raise ValueError(f"prepared folder '{prepared_dir}' does not exist; name the prepared_dir of cli.prepare")
    base = os.fspath(prepared_dir).rstrip("/")
    return [name for name in _subfolders(base) if any(map(VERSION.match, _subfolders(f"{base}/{name}")))]


def inspect_prepared(
    name: str,
    prepared_dir: str | os.PathLike,
    *,
    splits: Sequence[str] | None = None,
    samples: int | None = 64,
    shown: int = 4,
    workers: int | None = None,
    progress: bool = False,
) -> Prepared:
    """Returns what is stored of data set `name` in `prepared_dir`.

    Args: as those of `inspect_raw`; `workers`: threads.

    Raises:
      ValueError: the folder does not exist or holds nothing of this data set. All else is a finding.
    """
    spec, found = find(name), Prepared()
    if spec.name not in names_in(prepared_dir):
        raise ValueError(f"{spec.name!r} is not prepared in '{prepared_dir}'; run cli.prepare first")
    found.problems = _unfinished(f"{os.fspath(prepared_dir).rstrip('/')}/{spec.name}")
    try:
        found.folder = find_prepared(spec, prepared_dir)
        stored = metadata(found.folder) if found.folder else None
    except ValueError as error:
        found.problems.append(str(error))
        return found
    if stored is None:
        return found
    recipe, recorded = stored["recipe"], stored["splits"]
    found.facts = {"version": found.folder.name, **recipe}
    found.warnings = stored["warnings"]
    found.caches = list(_caches(found.folder))
    found.problems += _damaged_notes(found.folder)
    missing = [split for split in splits or () if split not in recorded]
    found.problems += [f"'{found.folder}' has no split {split!r}; it has {list(recorded)}" for split in missing]
    for split in [split for split in recorded if splits is None or split in splits]:
        with tqdm(desc=f"{spec.name} {split}", unit="img", disable=not progress, leave=False) as bar:
            result, pictures = _split(spec, found.folder, split, samples, shown, workers or os.cpu_count(), bar)
        found.splits.append(result)
        found.pictures[split] = pictures
    return found


def _split(spec, folder, split: str, samples: int | None, shown: int, workers: int, bar) -> tuple[Split, list]:
    from sde_seg_jax.data.reading.source import PreparedSource  # TFDS is needed only where records are read

    try:
        source = PreparedSource(spec, folder, split)
        records = source.records.held()  # TFDS believes its own notes
    except Exception as error:  # whatever a damaged folder makes TFDS raise is the finding
        return Split(split, spec.space, listed=[_damaged(folder, error)]), []
    result = Split(split, source.space, len(source), remedy=REMEDY, judge_cameras=cameras_matter(spec))
    stored = metadata(folder)
    result.left_out = stored["left_out"][split]
    result.recorded = np.append(stored["class_pixels"][split], stored["ignored_pixels"][split])
    if records != len(source):
        result.listed = [f"split {split!r} in '{folder}' has {records} records but {len(source)} names; {AGAIN}"]
    chosen = spread(min(len(source), records), samples)
    bar.reset(len(chosen))

    def look(index: int) -> Sample:
        sample = inspect_record(source, index)
        bar.update()
        return sample

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        result.samples = list(pool.map(look, chosen))
    healthy = [index for index, sample in zip(chosen, result.samples, strict=True) if not sample.problems]
    return result, [shrink(_example(source, healthy[i])) for i in spread(len(healthy), shown)] if shown else []


def inspect_record(source, index: int) -> Sample:
    """Reads and measures one record; what is wrong with it becomes its problem."""
    where = f"record {index} ({source.names[index]!r}) of {source.split!r}"
    try:
        example = _example(source, index)
        if example["name"] != source.names[index]:
            return Sample(problems=(f"{where} is named {example['name']!r}; {AGAIN}",))
        if example["image"].shape[:2] != source.size:
            return Sample(problems=(f"{where} has size {example['image'].shape[:2]}, not {source.size}; {AGAIN}",))
        return measure(example, source.space)
    except Exception as error:  # whatever a damaged record makes the readers raise is the finding
        return Sample(problems=(f"cannot read {where} ({_short(error)}); {AGAIN}",))


def _example(source, index: int) -> dict[str, Any]:
    """A stored sample; a label that says nothing, because there was none, is taken away."""
    example = source.read(index)
    if not example["labeled"]:
        example.pop("label", None)
    return example


def _caches(folder: epath.Path):
    for path in sorted(folder.glob("disparity/*/*/cache.json")):
        content = {"error": "cannot be read; delete it and run cli.cache_depth again"}
        with contextlib.suppress(ValueError, OSError):
            content = read_json(path, OPTIONS)
        yield str(path.parent.relative_to(folder)), content


def _damaged_notes(folder: epath.Path) -> list[str]:
    """What is wrong with the notes that TFDS reads, and we do not."""
    found = []
    for file, schema in (("features.json", FEATURES), ("dataset_info.json", DATASET_INFO)):
        try:
            read_json(folder / file, schema, AGAIN)
        except (DamagedFile, OSError) as error:
            found.append(f"TFDS cannot read these data, training can: {error}")
    return found


def _unfinished(base: str) -> list[str]:
    """A problem for every version below `base` that is not whole: by its name, or far away by its missing notes."""
    found = []
    for name in filter(VERSION.match, _subfolders(base)):
        far = remote.is_remote(base) and remote.read_text(f"{base}/{name}/{WHOLE}") is None
        if far or not VERSION.fullmatch(name):
            found.append(f"'{base}/{name}' is not finished; {CONTINUE}, or delete it")
    return found


def _subfolders(folder: str | os.PathLike) -> list[str]:
    if remote.is_remote(folder):
        return sorted(remote.subfolders(os.fspath(folder)))
    return sorted(path.name for path in remote.local_path(folder).iterdir() if path.is_dir())


def _damaged(folder, error: Exception) -> str:
    return f"cannot read '{folder}' ({_short(error)}); {AGAIN}"


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200]
