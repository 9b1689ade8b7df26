"""Matching Geometry Sampling of a run: the geometry of both domains, and which crops go together (`data.matching`).

The geometry is that of the depth caches, where they are named, else of the depth networks that the task mixes by, run
once over all images. It is kept beside the prepared data, for the next run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath
from ml_collections import config_dict

from sde_seg_jax.data.matching import geometry_index
from sde_seg_jax.data.matching.geometry_distance import check_scale
from sde_seg_jax.data.matching.geometry_maps import GeometryMaps
from sde_seg_jax.data.matching.matching import BOTTOM, TOP, Geometry, Matching
from sde_seg_jax.data.preparing.prepare import find_prepared
from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.data.reading.picks import PlainPicks
from sde_seg_jax.data.reading.scaling import STORED
from sde_seg_jax.data.spec import find
from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.cached_depth import depth_fingerprint, depth_run, open_cache
from sde_seg_jax.experiment.config import UsageError, call, value_of
from sde_seg_jax.experiment.depth_cache import disparities
from sde_seg_jax.experiment.matched_pairs import SOURCE, TARGET, Pairs
from sde_seg_jax.reporter import SILENT, Reporter

SECTION = "matching"
DOMAINS = {TARGET: "data", SOURCE: "source_data"}  # stream -> section of its data set
FOLDER = "geometry"  # in a prepared data set
BATCH_SIZE = 8  # images at a time through a depth network


def matching_section(
    *,
    candidates: int = 0,
    cells: Sequence[int] = geometry_index.CELLS,
    bidirectional: bool = False,
    scale: str = "log1",
    top: float = TOP,
    bottom: float = BOTTOM,
    bound: float | None = None,
) -> dict[str, Any]:
    """The section `matching`, checked; see configs/base.py. Raises ValueError that names the key."""
    if candidates < 0:
        raise UsageError(f"config.matching.candidates={candidates}: expected 1 or more, or 0 for no matching")
    check_scale(scale)
    cells = tuple(cells)
    if len(cells) not in (0, 2) or any(number < 1 for number in cells):
        raise UsageError(f"config.matching.cells={cells}: expected (rows, columns), or () for full resolution")
    options = {"candidates": candidates, "bidirectional": bidirectional, "top": top, "bottom": bottom, "bound": bound}
    return {"cells": cells, "scale": scale, "options": options}


def check_matching(config: config_dict.ConfigDict, streams: Mapping[str, Sequence[str]]) -> bool:
    """Whether the run matches crops. Raises UsageError if it is asked to and cannot: nothing to pair, no disparity."""
    if SECTION not in config:
        return False
    section = call(SECTION, matching_section, config.matching)
    if not section["options"]["candidates"]:
        return False
    if tuple(value_of(config, "data.scale")) != STORED:
        raise UsageError(
            "config.matching.candidates compares crops of images as they are stored: set data.scale=(1.0, 1.0), or "
            "matching.candidates=0"
        )
    if not value_of(config, "task.cross_domain") or not set(DOMAINS) <= set(streams):
        raise UsageError(
            "config.matching.candidates pairs source with target crops, but nothing is mixed across domains: set "
            "matching.candidates=0, or task.cross_domain=1"
        )
    for domain in DOMAINS.values():
        cached = value_of(config, f"{domain}.depth_cache")
        flag, checkpoint = depth_run(config, domain)
        if not cached and (not checkpoint or not section["cells"]):
            what = "at full resolution (matching.cells=()) " if not section["cells"] else ""
            network = f", or a depth run with {flag or 'task.depth_checkpoint'}" if section["cells"] else ""
            raise UsageError(
                f"matching {what}compares disparities of '{config[domain].dataset}': name its depth cache with "
                f"{domain}.depth_cache (cli.cache_depth makes one){network}, or set matching.candidates=0"
            )
    return True


def open_matching(
    config: config_dict.ConfigDict, data: Data, streams: Mapping[str, Sequence[str]], reporter: Reporter = SILENT
) -> Pairs | None:
    """The pairs of a run, None if it does not match. `streams`: what it reads, see `cached_depth.streams_read`."""
    if not check_matching(config, streams):
        return None
    section = call(SECTION, matching_section, config.matching)
    options = data.stream_options(streams, config.seed)
    plain = {name: _plain(options[name]) for name in DOMAINS}
    geometry = {
        name: _geometry(config, data, name, streams[name], options[name]["source"].names, section, reporter)
        for name in DOMAINS
    }
    pairs = Matching(plain[TARGET], plain[SOURCE], geometry[TARGET], geometry[SOURCE], **section["options"])
    return Pairs(pairs, plain[SOURCE], {name: options[name]["source"] for name in DOMAINS}, geometry)


def _plain(options: Mapping[str, Any]) -> PlainPicks:
    """What a stream reads without matching."""
    source = options["source"]
    indices = options.get("indices", range(len(source)))
    return PlainPicks(options["seed"], indices, tuple(source.size), tuple(options["crop"]), options["flip"])


def _geometry(
    config, data: Data, stream: str, fields, names: Sequence[str], section: dict[str, Any], reporter: Reporter
) -> Geometry:
    domain, where = DOMAINS[stream], data.of(stream)
    split, scale, cells = where.split_of(stream, fields), section["scale"], section["cells"]
    cache = open_cache(data, stream, fields) if where.depth_cache else None
    if not cells:
        return GeometryMaps(cache.read, names, where.size, scale)
    trained = None
    if cache is None:
        flag, checkpoint = depth_run(config, domain)
        trained = build.load_trained(checkpoint)
        if trained.network.depth_decoder is None:
            raise UsageError(f"{flag}={checkpoint} holds no depth network")
        trained.network.check_size(*where.size)
        weights = depth_fingerprint(trained.variables.params, trained.variables.batch_stats)
    else:
        weights = cache.facts["weights"]
    facts = geometry_index.facts_of(names, where.size, cells, scale, weights)
    prepared = epath.Path(find_prepared(find(where.dataset), where.prepared_dir))
    file = prepared / FOLDER / split / f"{scale}-{cells[0]}x{cells[1]}-{weights[:12]}.npz"
    index = geometry_index.load(file, facts)
    if index is not None:
        return index
    with reporter.bar(total=len(names), desc=f"geometry of {where.dataset} {split}", unit="img") as bar:

        def progress(done: int) -> None:
            bar.update(done - bar.n)

        if cache is not None:
            index = geometry_index.build_in_threads(cache.read, facts, names, progress)
        else:
            index = geometry_index.build(_maps(trained, where, split), facts, names, progress)
    try:
        geometry_index.save(index, file)
    except OSError as error:  # prepared data may be there to read only
        reporter.tell(f"the geometry cannot be kept in '{file}' ({error}): it is made again next time")
    return index


def _maps(trained: build.Trained, where: Data, split: str):
    from sde_seg_jax.data.reading.source import open_source  # TFDS is needed only where prepared data is read

    for _, found in disparities(trained, open_source(where.dataset, where.prepared_dir, split), BATCH_SIZE):
        yield from found
