"""Random access to prepared samples, without TensorFlow and TFDS: ours wrote down which files hold how many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.fields import FIELDS
from sde_seg_jax.data.spec import DatasetSpec, Size, find
from sde_seg_jax.data.stored import codec, records
from sde_seg_jax.data.stored.depth_cache import DepthCache
from sde_seg_jax.data.stored.finished import AGAIN, WHOLE, find_prepared, label_space, metadata, records_of
from sde_seg_jax.data.window import Window, cut
from sde_seg_jax.lookup import nearest


class PreparedSource:
    """A `stream.Source` over one split of prepared data; may be read by many threads.

    With the name of a `depth_cache` it has the field disparity, too: float32 [H,W] in [0,1].
    """

    def __init__(self, spec: DatasetSpec, folder, split: str, depth_cache: str = ""):
        facts = metadata(folder)
        if split not in facts["splits"]:
            raise ValueError(
                f"'{folder}' has no split {split!r}; it has {list(facts['splits'])}{nearest(split, facts['splits'])}"
            )
        here = facts["splits"][split]
        self.name, self.split, self.space = spec.name, split, label_space(facts)
        self.remedies = spec.remedies
        self.size: Size = tuple(facts["recipe"]["size"])
        self.fields = tuple(here["fields"])
        self.names: list[str] = here["names"]
        self.labeled = np.array(here["labeled"], bool)
        self.records = records_of(folder, spec.name, split, facts)
        self._depth_cache = DepthCache(folder, depth_cache, split) if depth_cache else None
        if depth_cache:
            self.fields += ("disparity",)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int, fields: Sequence[str] | None = None, window: Window | None = None) -> dict[str, Any]:
        """Returns sample `index`, decoded, with all or only the given optional fields; see `codec.decode`."""
        fields = self.fields if fields is None else fields
        example = codec.decode(stored(self, index), fields, window)
        if "disparity" in fields and self._depth_cache is not None:
            example["disparity"] = cut(self._depth_cache.read(index), window)
        return example


def open_source(
    name: str | DatasetSpec, prepared_dir: str | os.PathLike, split: str, depth_cache: str = ""
) -> PreparedSource:
    """Opens one split of prepared data, with the disparities of a depth cache if one is named.

    Raises:
      ValueError: it is not prepared, or in another version, or has no such split or cache; with the remedy.
    """
    spec = find(name)
    folder = find_prepared(spec, prepared_dir)
    if folder is None:
        raise ValueError(f"{spec.name!r} is not prepared in '{prepared_dir}'; run `prepare` first")
    source = PreparedSource(spec, folder, split, depth_cache)
    if len(source.records) != len(source):
        raise ValueError(
            f"cannot read '{folder}/{WHOLE}' (split {split!r} has {len(source)} names and {len(source.records)} "
            f"records); {AGAIN}"
        )
    return source


def stored(source: PreparedSource, index: int) -> dict[str, Any]:
    """What `codec.encode` made of a sample: image files and numbers. TFDS stores a value and a list of one alike."""
    features = records.parse(source.records[index])
    return {key: value if FIELDS[key].several else value[0] for key, value in features.items()}
