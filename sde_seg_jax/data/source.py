"""Random access to prepared samples. Needs TFDS, which reads ArrayRecord without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from sde_seg_jax.data import codec
from sde_seg_jax.data.prepare import find_prepared, metadata
from sde_seg_jax.data.spec import DatasetSpec, Size, find


class Undecoded(tfds.decode.SkipDecoding):
    """Hands image files over as they are stored; `codec.decode` is the one place that decodes."""

    def decode_batch_example_np(self, example):
        """TFDS has skipping for single images only; this is the one for sequences."""
        return example


class PreparedSource:
    """A `stream.Source` over one split of prepared data; may be read by many threads."""

    def __init__(self, spec: DatasetSpec, folder, split: str):
        facts = metadata(folder)
        if split not in facts["splits"]:
            raise ValueError(f"'{folder}' has no split {split!r}; it has {list(facts['splits'])}")
        here = facts["splits"][split]
        self.name, self.split, self.space = spec.name, split, spec.space
        self.remedies = spec.remedies
        self.size: Size = tuple(facts["recipe"]["size"])
        self.fields = tuple(here["fields"])
        self.names: list[str] = here["names"]
        self.labeled = np.array(here["labeled"], bool)
        coded = ("image", "neighbors", "label", "depth")
        builder = tfds.builder_from_directory(folder)
        decoders = {key: Undecoded() for key in coded if key in builder.info.features}
        self._records = builder.as_data_source(split, decoders=decoders)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int, fields: Sequence[str] | None = None) -> dict[str, Any]:
        """Returns sample `index`, decoded, with all or only the given optional fields; see `codec.decode`."""
        return codec.decode(self._records[index], self.fields if fields is None else fields)


def open_source(name: str | DatasetSpec, prepared_dir: str | os.PathLike, split: str) -> PreparedSource:
    """Opens one split of prepared data.

    Raises:
      ValueError: it is not prepared, or in another version, or has no such split; with the remedy.
    """
    spec = find(name)
    folder = find_prepared(spec, prepared_dir)
    if folder is None:
        raise ValueError(f"{spec.name!r} is not prepared in '{prepared_dir}'; run `prepare` first")
    return PreparedSource(spec, folder, split)
