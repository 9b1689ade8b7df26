"""Disparities from files of another program, beside the prepared data: a depth cache without a network of ours."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.preparing.depth_cache_writer import SHARD_SIZE, CacheWriter
from sde_seg_jax.data.raw_files import depth_maps
from sde_seg_jax.data.stored.depth_cache import encode
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.depth_cache import place_of, rest
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.lookup import choose
from sde_seg_jax.part import WHOLE, Part
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter

KINDS = {"depth": "inverse", "inverse": "depth", "disparity": "depth"}  # -> what it might be if it is upside down
SHAPE_BOUND = 0.02  # of the aspect ratio
LOOKED_AT = 64  # maps whose order is checked


def cache_files(
    config: config_dict.ConfigDict,
    folder: str,
    kind: str,
    *,
    near: float = 1.0,
    splits: Sequence[str] = (),
    shard_size: int = SHARD_SIZE,
    replace: bool = False,
    any_order: bool = False,
    part: Part = WHOLE,
    reporter: Reporter = SILENT,
) -> str:
    """Writes the caches of `splits` from maps that mirror the samples' names; returns their name.

    Args:
      config: which data.
      folder: DIR with DIR/NAME.npy, .npz, .pfm or 16-bit .png for every sample NAME.
      kind: "depth" [m], "inverse" [1/m] or "disparity" (any unit, only the order within a map counts).
      near: depth in metres that becomes disparity 1.
      any_order: accept maps whose bottom is farther than their top.
      part: write only this part of the files.

    Raises ValueError, naming file and remedy: maps are missing, of another shape, all constant, or upside down.
    """
    choose(KINDS, kind, "--kind")
    root = pathlib.Path(folder).expanduser()
    if not root.is_dir():
        raise UsageError(f"--from_files={folder}: there is no such folder")
    prepared, data = prepare_data(config, reporter=reporter), config.data
    name = data.depth_cache or root.resolve().name
    for split in splits or dict.fromkeys(s for s in (data.train_split, data.unlabeled_split) if s):
        place = place_of(config, prepared, name, split)
        facts = place.prepared_facts()
        files = depth_maps.find(root, facts["names"])
        missing = [sample for sample in facts["names"] if sample not in files]
        if missing:
            first = ", ".join(f"'{sample}'" for sample in missing[:3])
            raise UsageError(
                f"--from_files={folder} lacks {len(missing)} of {len(facts['names'])} maps of split '{split}': {first}"
                f"{', ...' if len(missing) > 3 else ''}; expected files such as {root / missing[0]}.npy"
            )
        paths = [files[sample] for sample in facts["names"]]
        if not any_order:
            _check_order(paths, kind)
        origin = {"weights": _digest(paths, kind, near), "checkpoint": str(root), "step": 0, "model": {}}
        _fill(CacheWriter(place, origin, shard_size, replace, part), paths, kind, near, tuple(facts["size"]), reporter)
    return name


def _fill(writer: CacheWriter, paths: list[pathlib.Path], kind: str, near: float, size, reporter: Reporter) -> None:
    indices, shares = writer.indices(), []

    def records() -> Iterator[bytes]:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for disparity, known in pool.map(lambda i: _disparity(paths[i], kind, near, size), indices):
                shares.append(known)
                bar.update()
                yield encode(disparity)

    with reporter.bar(total=len(indices), desc=f"disparity of {writer.place.split}", unit="img") as bar:
        complete = writer.fill(records())
    shares = [share for of_one in together.gathered(shares) for share in of_one]
    known = f", {np.mean(shares):.1%} of their pixels have a value, all others count as farthest" if shares else ""
    where = f"'{writer.place.folder}'{known}{rest(complete)}"
    reporter.tell(f"{writer.place}: {len(shares)} disparities written to {where}")


def _disparity(path: pathlib.Path, kind: str, near: float, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """(disparity of a map at a size, share of its pixels that have a value)."""
    values = depth_maps.read(path)
    ratio = values.shape[1] / values.shape[0] * size[0] / size[1]
    if abs(ratio - 1) > SHAPE_BOUND:
        raise UsageError(f"'{path}' is {values.shape[0]}x{values.shape[1]}, no whole image of {size[0]}x{size[1]}")
    nearness = depth_maps.nearness(values, kind)
    found, known = depth_maps.disparity(nearness, kind, near), np.isfinite(nearness)
    if not known.any() or (found[known] == found[known][0]).all():
        what = "no value" if not known.any() else "one value everywhere"
        raise UsageError(f"'{path}' has {what}: it orders nothing; make it again, or leave its image out")
    filled = np.where(known, found, 0).astype(np.float32)
    shrinks = values.shape[0] > size[0]
    resized = cv2.resize(filled, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.clip(resized, 0, 1), float(known.mean())


def _check_order(paths: list[pathlib.Path], kind: str) -> None:
    """What drives sees the near road below: where most maps say otherwise, they mean something else."""
    looked = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, LOOKED_AT).astype(int))]
    against = []
    for path in looked:
        found = depth_maps.nearness(depth_maps.read(path), kind)
        third = max(1, len(found) // 3)
        top, bottom = (part[np.isfinite(part)] for part in (found[:third], found[-third:]))
        if top.size and bottom.size and np.median(bottom) < np.median(top):
            against.append(path)
    if 2 * len(against) > len(looked):
        raise UsageError(
            f"by {len(against)} of {len(looked)} maps, such as '{against[0]}', the bottom of the image is farther than "
            f"its top: they may hold --kind={KINDS[kind]}; if they are right, give --any_order"
        )


def _digest(paths: list[pathlib.Path], kind: str, near: float) -> str:
    found = hashlib.sha256(f"{kind} {near}".encode())
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()
