"""Disparities of a frozen network on disk, 16 bit, beside the prepared data they were computed from.

`<prepared set>/disparity/<name>/<split>/` holds ArrayRecord files ("shards") of 16-bit PNGs, record i for sample i, and
`cache.json`: which weights made them, for which samples. A shard appears under its name when it is complete; the facts
are `begun.json` until all shards are there. So what is interrupted continues, and nothing half-done looks whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from etils import epath

from sde_seg_jax.data.stored.finished import metadata
from sde_seg_jax.data.stored.shard_files import File
from sde_seg_jax.lookup import nearest
from sde_seg_jax.state_files.reading import checked, parse
from sde_seg_jax.state_files.schemas import CACHE, OPTIONS

SCHEMA = 1  # raise it when the stored form changes
FOLDER, FACTS, BEGUN, SHARD = "disparity", "cache.json", "begun.json", "shard-"
LEVELS = np.iinfo(np.uint16).max
CODING = "uint16 = floor(disparity * 65535)"
COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # 25 % smaller than the default, 18 ms for 512x1024
AGAIN = "run cli.cache_depth --replace"


def quantize(disparity: np.ndarray) -> np.ndarray:
    """Disparity float32 in [0,1] -> uint16, floor(d * 65535): truncated, as published (ssda, 'raw').

    Raises ValueError for values outside, NaN among them.
    """
    if not (np.min(disparity) >= 0 and np.max(disparity) <= 1):
        raise ValueError(
            "the network predicts disparities outside [0,1] or NaN; its weights are of no use: train again"
        )
    return np.floor(np.asarray(disparity, np.float32) * np.float32(LEVELS)).astype(np.uint16)


def dequantize(levels: np.ndarray) -> np.ndarray:
    """uint16 -> disparity float32, levels / 65535; at most 1/65535 below the network's."""
    return levels.astype(np.float32) / np.float32(LEVELS)


def encode(disparity: np.ndarray) -> bytes:
    """A map [H,W] as it is stored."""
    return cv2.imencode(".png", quantize(disparity), COMPRESSION)[1].tobytes()


def decode(record: bytes) -> np.ndarray:
    """The inverse of `encode`, up to quantisation."""
    return dequantize(cv2.imdecode(np.frombuffer(record, np.uint8), cv2.IMREAD_UNCHANGED))


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the cache `name` of one split is, or would be. `prepared` is the folder of a prepared data set."""

    prepared: epath.Path
    name: str  # of a folder in `<prepared>/disparity`, or a path if it holds a slash
    split: str

    @property
    def folder(self) -> epath.Path:
        """With the shards."""
        base = epath.Path(self.name) if "/" in self.name else epath.Path(self.prepared) / FOLDER / self.name
        return base.expanduser() / self.split

    def __str__(self) -> str:
        return f"depth cache '{self.name}' of split '{self.split}'"

    def prepared_facts(self) -> dict[str, Any]:
        """What the prepared data say of themselves; a cache fits only data that say the same."""
        facts = metadata(epath.Path(self.prepared))
        if self.split not in facts["splits"]:
            near = nearest(self.split, facts["splits"])
            raise ValueError(f"'{self.prepared}' has no split '{self.split}'; it has {list(facts['splits'])}{near}")
        recipe = {key: value for key, value in facts["recipe"].items() if key != "splits"}
        return {"size": recipe["size"], "recipe": recipe, "names": facts["splits"][self.split]["names"]}

    def facts(self, file: str) -> dict[str, Any] | None:
        """The facts of a finished (FACTS) or unfinished (BEGUN) cache; None if there is none."""
        path = self.folder / file
        if not path.exists():
            return None
        found = parse(path.read_bytes(), f"'{path}'", OPTIONS, AGAIN)
        if found.get("schema") != SCHEMA:
            raise ValueError(f"'{path}' has schema {str(found.get('schema'))[:20]}, wanted {SCHEMA}: {AGAIN}")
        return checked(found, f"'{path}'", CACHE, AGAIN)

    def missing(self, facts: Mapping[str, Any]) -> list[int]:
        """Numbers of the shards that are not there."""
        there = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
        return [shard for shard in range(len(spans(facts))) if shard_name(shard) not in there]


def shard_name(shard: int) -> str:
    """File name of a shard."""
    return f"{SHARD}{shard:05d}.array_record"


def spans(facts: Mapping[str, Any]) -> list[range]:
    """The samples of each shard."""
    count, size = len(facts["names"]), facts["shard_size"]
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """In which way a cache was made for other prepared data than the wanted; empty if it was not."""
    for key in wanted["recipe"]:
        if found["recipe"].get(key) != wanted["recipe"][key]:
            return f"for data prepared with {key} {found['recipe'].get(key)}, now it is {wanted['recipe'][key]}"
    if found["names"] == wanted["names"]:
        return ""
    if len(found["names"]) != len(wanted["names"]):
        return f"for {len(found['names'])} other samples, now there are {len(wanted['names'])}"
    index = [a == b for a, b in zip(found["names"], wanted["names"], strict=True)].index(False)
    return f"for other samples: number {index} was '{found['names'][index]}', now it is '{wanted['names'][index]}'"


def origin_of(facts: Mapping[str, Any]) -> str:
    """Which weights made a cache, for messages."""
    return f"{facts['weights'][:12]} ({facts['checkpoint']}, step {facts['step']})"


class DepthCache:
    """Reads the cached disparities of one split; may be read by many threads.

    Raises ValueError, naming the cache and the remedy, if it is missing, unfinished, damaged, or was made for other
    prepared data. `facts` tells which weights made it.
    """

    def __init__(self, prepared: epath.PathLike, name: str, split: str):
        self.place = place = Place(epath.Path(prepared), name, split)
        self.facts = place.facts(FACTS)
        if self.facts is None:
            if place.facts(BEGUN) is not None:
                raise ValueError(f"{place} in '{place.folder}' is unfinished: run the same cli.cache_depth again")
            raise ValueError(f"there is no {place} in '{place.folder}'{_known(place)}: run cli.cache_depth first")
        other = difference(self.facts, place.prepared_facts())
        if other:
            raise ValueError(
                f"{place} in '{place.folder}' was made {other}: {AGAIN}, or choose another with data.depth_cache"
            )
        missing = place.missing(self.facts)
        if missing:
            file = place.folder / shard_name(missing[0])
            raise ValueError(f"{place} lacks '{file}': run the same cli.cache_depth again, it writes what is missing")
        self._records = _open(place, self.facts)

    def read(self, index: int) -> np.ndarray:
        """Disparity float32 [H,W] in [0,1] of sample `index`."""
        try:
            return decode(self._records[index])
        except (RuntimeError, ValueError, IndexError, cv2.error, AttributeError) as error:
            file = self.place.folder / shard_name(index // self.facts["shard_size"])
            raise ValueError(f"'{file}' is damaged: delete it and run the same cli.cache_depth again") from error


def _open(place: Place, facts: Mapping[str, Any]) -> Any:
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    counts = [len(span) for span in spans(facts)]
    return ArrayRecordDataSource([File(str(place.folder / shard_name(i)), n, n) for i, n in enumerate(counts)])


def _known(place: Place) -> str:
    base = epath.Path(place.prepared) / FOLDER
    names = [path.name for path in base.iterdir() if (path / place.split / FACTS).exists()] if base.exists() else []
    return f" (there: {', '.join(sorted(names))})" if names else ""
