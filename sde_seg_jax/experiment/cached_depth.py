"""Training with cached instead of online disparities: which streams read them, and whether they are the right ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.data.preparing.prepare import find_prepared
from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.depth_cache import DepthCache, origin_of
from sde_seg_jax.experiment.config import UsageError, value_of
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training import checkpoints
from sde_seg_jax.training.fingerprint import SHOWN, fingerprint

FIELD = "disparity"
SOURCE = "source_data"  # section of the source domain
DEPTH_PARTS = ("encoder", "depth_decoder")
OTHER_PARTS = ("pose",)  # of a network whose decoders exchange features; all the rest makes its disparity


def depth_fingerprint(params: Mapping[str, Any], batch_stats: Mapping[str, Any]) -> str:
    """Of the parameters and running statistics that a network's disparity depends on."""
    names = [name for name in params if name not in OTHER_PARTS] if "distillation" in params else DEPTH_PARTS
    return fingerprint([{name: tree[name] for name in names if name in tree} for tree in (params, batch_stats)])


def fingerprint_of(checkpoint: str, flag: str) -> str:
    """`depth_fingerprint` of a checkpoint. Raises CheckpointError, or UsageError if it holds no depth network."""
    stored = checkpoints.read(checkpoint, "student").parts["student"]
    if not stored or "depth_decoder" not in stored["params"]:
        raise UsageError(f"{flag}={checkpoint} holds no depth network")
    return depth_fingerprint(stored["params"], stored.get("batch_stats") or {})


def reads_cache(config: config_dict.ConfigDict, domain: str = "data") -> bool:
    """Is a cache named for a domain ("data" or "source_data"), and does the task read it? Then no network is needed."""
    task = find_task(config.task.name)
    reading = task.cached(config.losses, config.task)
    return bool(_cache(config, domain)) and any(_domain(stream) == domain for stream in reading)


def streams_read(config: config_dict.ConfigDict) -> dict[str, tuple[str, ...]]:
    """Stream -> optional fields that a run reads, with the cached disparities if it reads them."""
    task = find_task(config.task.name)
    reading = task.cached(config.losses, config.task)
    cached = [stream for stream in reading if _cache(config, _domain(stream))]
    streams = task.streams(config.losses, config.task)
    return {name: (*fields, FIELD) if name in cached else fields for name, fields in streams.items()}


def origins(config: config_dict.ConfigDict, data: Data) -> Iterator[str]:
    """A line about each cache that is read: which weights made it.

    Raises ValueError that names the cache and the remedy if there is none, if it was made for other prepared data, or
    if task.depth_checkpoint (else model.init, where that is a depth run) has other weights; of the source domain, if
    task.source_depth_checkpoint has.
    """
    for domain in (SOURCE, "data"):
        matched = value_of(config, "matching.candidates")  # cli.matching reads it, too
        if _cache(config, domain) and not reads_cache(config, domain) and not matched:
            name = f"{domain}.depth_cache='{_cache(config, domain)}'"
            yield f"{name} is not read: this task mixes and learns without it"
    for name, fields in streams_read(config).items():
        if FIELD in fields:
            cache = open_cache(data, name, fields)
            _refuse_stale(config, cache, _domain(name))
            yield f"{cache.place}: made from weights {origin_of(cache.facts)}"


def open_cache(data: Data, stream: str, fields: Sequence[str]) -> DepthCache:
    """The cached disparities that a stream reads. Raises ValueError, naming the remedy, if there are none."""
    data = data.of(stream)
    prepared = find_prepared(find(data.dataset), data.prepared_dir)
    return DepthCache(prepared, data.depth_cache, data.split_of(stream, fields))


def _domain(stream: str) -> str:
    """The section that says where a stream's images come from."""
    return SOURCE if stream == "source" else "data"


def _cache(config: config_dict.ConfigDict, domain: str) -> str:
    return value_of(config, f"{domain}.depth_cache")


def _refuse_stale(config: config_dict.ConfigDict, cache: DepthCache, domain: str) -> None:
    flag, checkpoint = depth_run(config, domain)
    if not checkpoint:
        return
    found = fingerprint_of(checkpoint, flag)
    if found != cache.facts["weights"]:
        raise UsageError(
            f"{cache.place} was made from weights {origin_of(cache.facts)}, but {flag}={checkpoint} has "
            f"{found[:SHOWN]}: run cli.cache_depth --checkpoint={checkpoint} --replace, or choose another cache with "
            f"{domain}.depth_cache, or another {flag}"
        )


def depth_run(config: config_dict.ConfigDict, domain: str = "data") -> tuple[str, str]:
    """(flag, checkpoint) that says which depth network a run takes for a domain's disparities; empty if none does."""
    if domain == SOURCE:
        return "task.source_depth_checkpoint", value_of(config, "task.source_depth_checkpoint")
    if value_of(config, "task.depth_checkpoint"):
        return "task.depth_checkpoint", config.task.depth_checkpoint
    try:
        if config.model.init and checkpoints.read(config.model.init).config["task"]["name"] == "depth":
            return "model.init", config.model.init
    except (checkpoints.CheckpointError, KeyError, TypeError):  # published weights, or gone since the run started
        pass
    return "", ""
