"""Training with cached instead of online disparities: which streams read them, and whether they are the right ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.cli.config import UsageError
from sde_seg_jax.cli.streams import Data
from sde_seg_jax.data.depth_cache import DepthCache, origin_of
from sde_seg_jax.data.prepare import find_prepared
from sde_seg_jax.data.spec import find
from sde_seg_jax.tasks.parts import find_task, streams_of
from sde_seg_jax.tasks.semi_supervised import NEEDS_DISPARITY
from sde_seg_jax.training import checkpoints
from sde_seg_jax.training.fingerprint import SHOWN, fingerprint

FIELD = "disparity"
DEPTH_PARTS = ("encoder", "depth_decoder")
OTHER_PARTS = ("pose",)  # of a network whose decoders exchange features; all the rest makes its disparity


def depth_fingerprint(params: Mapping[str, Any], batch_stats: Mapping[str, Any]) -> str:
    """Of the parameters and running statistics that a network's disparity depends on."""
    names = [name for name in params if name not in OTHER_PARTS] if "distillation" in params else DEPTH_PARTS
    return fingerprint([{name: tree[name] for name in names if name in tree} for tree in (params, batch_stats)])


def fingerprint_of(checkpoint: str, flag: str) -> str:
    """`depth_fingerprint` of a checkpoint. Raises CheckpointError, or UsageError if it holds no depth network."""
    stored = checkpoints.read_part(checkpoint, "student")["student"]
    if not stored or "depth_decoder" not in stored["params"]:
        raise UsageError(f"{flag}={checkpoint} holds no depth network")
    return depth_fingerprint(stored["params"], stored.get("batch_stats") or {})


def reads_cache(config: config_dict.ConfigDict) -> bool:
    """Is a cache named, and does the task read one? Then no depth network is needed."""
    mix = config.task.get("mix")
    wanted = hasattr(find_task(config.task.name), "CACHED") and (mix is None or mix in NEEDS_DISPARITY)
    return bool(config.data.get("depth_cache")) and wanted


def streams_read(config: config_dict.ConfigDict) -> dict[str, tuple[str, ...]]:
    """Stream -> optional fields that a run reads, with the cached disparities if it reads them."""
    task = find_task(config.task.name)
    cached = task.CACHED if reads_cache(config) else ()
    streams = streams_of(task, config.losses)
    return {name: (*fields, FIELD) if name in cached else fields for name, fields in streams.items()}


def origins(config: config_dict.ConfigDict, data: Data) -> Iterator[str]:
    """A line about each cache that is read: which weights made it.

    Raises ValueError that names the cache and the remedy if there is none, if it was made for other prepared data, or
    if task.depth_checkpoint (else model.init, where that is a depth run) has other weights.
    """
    if config.data.get("depth_cache") and not reads_cache(config):
        yield f"data.depth_cache='{config.data.depth_cache}' is not read: this task mixes and learns without it"
    for name, fields in streams_read(config).items():
        if FIELD in fields:
            prepared = find_prepared(find(data.dataset), data.prepared_dir)
            cache = DepthCache(prepared, data.depth_cache, data.split_of(name, fields))
            _refuse_stale(config, cache)
            yield f"{cache.place}: made from weights {origin_of(cache.facts)}"


def _refuse_stale(config: config_dict.ConfigDict, cache: DepthCache) -> None:
    flag, checkpoint = _depth_run(config)
    if not checkpoint:
        return
    found = fingerprint_of(checkpoint, flag)
    if found != cache.facts["weights"]:
        raise UsageError(
            f"{cache.place} was made from weights {origin_of(cache.facts)}, but {flag}={checkpoint} has "
            f"{found[:SHOWN]}: run cli.cache_depth --checkpoint={checkpoint} --replace, or choose another cache with "
            f"data.depth_cache, or another {flag}"
        )


def _depth_run(config: config_dict.ConfigDict) -> tuple[str, str]:
    """(flag, checkpoint) that says which depth network a run is about; empty if none does."""
    if config.task.get("depth_checkpoint"):
        return "task.depth_checkpoint", config.task.depth_checkpoint
    try:
        if config.model.init and checkpoints.read_config(config.model.init)["task"]["name"] == "depth":
            return "model.init", config.model.init
    except (checkpoints.CheckpointError, KeyError):  # published weights, or gone since the run started
        pass
    return "", ""
