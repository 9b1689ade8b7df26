"""Caches disparities: python -m sde_seg_jax.cli.cache_depth --config=FILE --checkpoint=DIR [--splits=train,video]

DIR is the workdir of a depth run. Writes the disparity of every stored image (whole, 16 bit) beside the prepared data,
under the name config.data.depth_cache (default: that of DIR); training with that key set reads them instead of running
the depth network. With --source they are those of the images in config.source_data (GTA5, by a depth run on VIPER), and
the key is config.source_data.depth_cache. A second call finds it done. Exit status: 0 done, 2 bad input, 130 stopped
(finished files stay; the same command continues).
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
import tqdm
from absl import flags as absl_flags
from ml_collections import config_dict

from sde_seg_jax.cli import build, predictors
from sde_seg_jax.cli.cached_depth import SOURCE, depth_fingerprint
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.cli.config import UsageError, as_json
from sde_seg_jax.cli.prepare import prepare_data
from sde_seg_jax.cli.source_data import source_config
from sde_seg_jax.data.preparing.depth_cache_writer import SHARD_SIZE, CacheWriter
from sde_seg_jax.data.stored.depth_cache import Place, encode
from sde_seg_jax.training import sharding
from sde_seg_jax.training.checkpoints import FOLDER, locate
from sde_seg_jax.training.loop import Interrupted


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_list("splits", [], "default: the configuration's train and unlabeled", flag_values=values)
    absl_flags.DEFINE_integer("batch_size", 8, "images at a time, over all devices", lower_bound=1, flag_values=values)
    absl_flags.DEFINE_integer("shard_size", SHARD_SIZE, "samples a file", lower_bound=1, flag_values=values)
    absl_flags.DEFINE_bool("source", False, "of the source domain, config.source_data", flag_values=values)
    absl_flags.DEFINE_bool("replace", False, "make a cache of other weights or samples again", flag_values=values)


@dataclasses.dataclass(frozen=True)
class Some:
    """Chosen samples of a source, in the given order; what the readers need of one."""

    source: Any
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, index: int, fields: Sequence[str] | None = None, window: Any = None) -> dict[str, Any]:
        """Sample `indices[index]`."""
        return self.source.read(self.indices[index], fields, window)


def cache_depth(
    config: config_dict.ConfigDict,
    checkpoint: str,
    splits: Sequence[str] = (),
    batch_size: int = 8,
    shard_size: int = SHARD_SIZE,
    replace: bool = False,
) -> str:
    """Writes what is missing of the caches of `splits`; returns their name.

    Raises ValueError, naming the remedy, for a checkpoint without depth network, for sizes that it cannot process, and
    for a cache of other weights or samples (unless `replace`); Interrupted.
    """
    trained = build.load_trained(checkpoint)
    if trained.network.depth_decoder is None:
        raise UsageError(f"--checkpoint={checkpoint} holds no depth network: give the workdir of a depth run")
    trained.network.check_size(*config.data.size)
    prepared = prepare_data(config)
    name = config.data.depth_cache or _workdir_name(checkpoint)
    origin = {
        "weights": depth_fingerprint(trained.variables.params, trained.variables.batch_stats),
        "checkpoint": checkpoint,
        "step": trained.step,
        "model": as_json(trained.config)["model"],
    }
    data = config.data
    for split in splits or dict.fromkeys(s for s in (data.train_split, data.unlabeled_split) if s):
        writer = CacheWriter(Place(prepared, name, split), origin, shard_size, replace)
        _fill(writer, trained, _open(config, split), batch_size)
    return name


def _open(config: config_dict.ConfigDict, split: str) -> Any:
    from sde_seg_jax.data.reading.source import open_source  # TFDS

    return open_source(config.data.dataset, config.data.prepared_dir, split)


def _fill(writer: CacheWriter, trained: build.Trained, source: Any, batch_size: int) -> None:
    place, indices, total = writer.place, writer.indices(), len(source)
    if not indices:
        writer.fill(iter(()))
        print(f"{place}: {total} disparities are in '{place.folder}'")
        return
    done = total - len(indices)
    bar = tqdm.tqdm(total=total, initial=done, desc=f"disparity of {place.split}", unit="img", mininterval=0.5)
    with bar, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        maps = disparities(trained, Some(source, indices), batch_size)
        try:
            writer.fill(_counted(_coded(maps, pool), bar))
        except KeyboardInterrupt:
            finished = total - len(writer.indices())
            raise Interrupted(f"stopped: {finished} of {total} are written; the same command continues") from None
    print(f"{place}: {len(indices)} disparities written to '{place.folder}'")


def disparities(trained: build.Trained, source: Any, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(names [B], disparities float32 [B,H,W]) of all samples in order, from all devices, one batch ahead."""
    from sde_seg_jax.data.reading.pipeline import eval_batches  # imports TensorFlow

    mesh = sharding.make_mesh([batch_size])
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


def _counted(records: Iterator[bytes], bar: tqdm.tqdm) -> Iterator[bytes]:
    for record in records:
        bar.update()
        yield record


def _workdir_name(checkpoint: str) -> str:
    folder = locate(checkpoint)
    return (folder.parent if folder.name == FOLDER else folder).name


def main(arguments: Arguments) -> None:
    """Caches what the command line names."""
    if not arguments.path or not arguments.checkpoint:
        raise UsageError("cli.cache_depth needs --config=FILE (which data) and --checkpoint=DIR (a depth run)")
    options = {key: getattr(arguments, key) for key in ("splits", "batch_size", "shard_size", "replace")}
    config, section = arguments.config(), "data"
    if arguments.source:
        config, section = source_config(config), SOURCE
    name = cache_depth(config, arguments.checkpoint, **options)
    print(f"train with --config.{section}.depth_cache={name}")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
