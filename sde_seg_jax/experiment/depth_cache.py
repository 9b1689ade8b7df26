"""Disparities of a depth run beside the prepared data, for training without its network."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.preparing.depth_cache_writer import SHARD_SIZE, CacheWriter
from sde_seg_jax.data.preparing.prepare import find_prepared
from sde_seg_jax.data.reading.some import Some
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.depth_cache import Place, encode
from sde_seg_jax.data.stored.remote import is_remote
from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.cached_depth import depth_fingerprint
from sde_seg_jax.experiment.config import UsageError, as_json
from sde_seg_jax.experiment.prediction import predictor as predictors
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.experiment.weights import depth_anything
from sde_seg_jax.part import WHOLE, Part
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.training import sharding
from sde_seg_jax.training.checkpoints import FOLDER, locate
from sde_seg_jax.training.interrupted import Interrupted


def cache_depth(
    config: config_dict.ConfigDict,
    checkpoint: str,
    splits: Sequence[str] = (),
    batch_size: int = 8,
    shard_size: int = SHARD_SIZE,
    replace: bool = False,
    part: Part = WHOLE,
    reporter: Reporter = SILENT,
) -> str:
    """Writes what is missing of the caches of `splits`, or of this `part` of their files; returns their name.

    `checkpoint` is a depth run, a converted checkpoint, or weights of Depth Anything V2 (file, folder, hf://org/name).
    A transformer sees images at the nearest size of whole patches. Of several processes all call this, and each writes
    shards of its own.

    Raises ValueError, naming the remedy, for a checkpoint without depth network, for sizes that it cannot process, and
    for a cache of other weights or samples (unless `replace`); Interrupted.
    """
    published = depth_anything.is_weights(checkpoint)
    trained = depth_anything.read_depth_anything(checkpoint) if published else build.load_trained(checkpoint)
    if trained.network.depth_decoder is None:
        raise UsageError(f"--checkpoint={checkpoint} holds no depth network: give the workdir of a depth run")
    size, seen = tuple(config.data.size), trained.network.fitting_size(*config.data.size)
    trained.network.check_size(*seen)
    if seen != size:
        reporter.tell(f"the network sees images of {size[0]}x{size[1]} at {seen[0]}x{seen[1]}, whole patches")
    prepared = prepare_data(config, reporter=reporter)
    own = depth_anything.name_for if published else _workdir_name
    name = config.data.depth_cache or own(checkpoint)
    origin = {
        "weights": depth_fingerprint(trained.variables.params, trained.variables.batch_stats),
        "checkpoint": checkpoint,
        "step": trained.step,
        "model": as_json(trained.config)["model"],
    }
    data = config.data
    for split in splits or dict.fromkeys(s for s in (data.train_split, data.unlabeled_split) if s):
        writer = CacheWriter(place_of(config, prepared, name, split), origin, shard_size, replace, part)
        _fill(writer, trained, _open(config, split), batch_size, reporter)
    return name


def place_of(config: config_dict.ConfigDict, prepared: str, name: str, split: str) -> Place:
    """Where a cache of the prepared data lies. Raises UsageError if these are far away: it lies in a folder here."""
    if not is_remote(prepared):
        return Place(prepared, name, split)
    if "/" not in name:
        raise UsageError(
            f"'{prepared}' is far away, and a depth cache lies in a folder: name one, with a slash, by "
            f"--config.data.depth_cache=/shared/{name}"
        )
    return Place(find_prepared(find(config.data.dataset), config.data.prepared_dir), name, split)


def _open(config: config_dict.ConfigDict, split: str) -> Any:
    from sde_seg_jax.data.reading.source import open_source  # TFDS

    return open_source(config.data.dataset, config.data.prepared_dir, split)


def _fill(writer: CacheWriter, trained: build.Trained, source: Any, batch_size: int, reporter: Reporter) -> None:
    place, indices, total = writer.place, writer.indices(), writer.count()
    wanted = sum(together.gathered(len(indices)))
    if not wanted:
        complete = writer.fill(iter(()))
        reporter.tell(f"{place}: {total} disparities are in '{place.folder}'{rest(complete)}")
        return
    done = total - wanted
    bar = reporter.bar(total=total, initial=done, desc=f"disparity of {place.split}", unit="img")
    with bar, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        maps = disparities(trained, Some(source, indices), batch_size) if indices else iter(())
        try:
            complete = writer.fill(_counted(_coded(maps, pool), bar))
        except KeyboardInterrupt:
            finished = total - len(writer.indices())
            raise Interrupted(f"stopped: {finished} of {total} are written; the same command continues") from None
    reporter.tell(f"{place}: {wanted} disparities written to '{place.folder}'{rest(complete)}")


def rest(complete: bool) -> str:
    """What a line on a cache adds if other parts of it are missing."""
    return "" if complete else "; the other parts are missing"


def disparities(trained: build.Trained, source: Any, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(names [B], disparities float32 [B,H,W]) of all samples in order, from all devices, one batch ahead."""
    from sde_seg_jax.data.reading.pipeline import eval_batches  # imports TensorFlow

    mesh = sharding.own_mesh([batch_size])
    variables = sharding.replicate(trained.variables, mesh)
    predict = predictors.disparity_predictor(trained.network)
    waiting = None
    for batch in eval_batches(source, batch_size, fields=()):
        image = sharding.put(predictors.padded(batch.image, batch_size), mesh)
        started = (batch.name, predict(variables, image))
        if waiting is not None:
            yield _fetch(*waiting)
        waiting = started
    yield _fetch(*waiting)


def _fetch(names: np.ndarray, found: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    return names, np.asarray(found)[: len(names)]


def _coded(maps: Iterator[tuple[np.ndarray, np.ndarray]], pool: concurrent.futures.Executor) -> Iterator[bytes]:
    for names, found in maps:
        yield from pool.map(_encode, names, found)


def _encode(name: str, disparity: np.ndarray) -> bytes:
    try:
        return encode(disparity)
    except ValueError as error:
        raise ValueError(f"sample '{name}': {error}") from error


def _counted(records: Iterator[bytes], bar) -> Iterator[bytes]:
    for record in records:
        bar.update()
        yield record


def _workdir_name(checkpoint: str) -> str:
    folder = locate(checkpoint)
    return (folder.parent if folder.name == FOLDER else folder).name
