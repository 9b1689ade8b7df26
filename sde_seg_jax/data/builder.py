"""The one TFDS builder: writes any data set's coded examples as ArrayRecord files with random access."""

from __future__ import annotations

import functools
import io
import itertools
import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from sde_seg_jax.data.spec import NEIGHBORS, DatasetSpec, Size


class PreparedBuilder(tfds.core.GeneratorBasedBuilder):
    """Writes `<data_dir>/<name>/<version>/`; TFDS gives the folder its name when it is complete.

    What was asked for (`recipe`) and what readers need at once (names, which are labeled, fields of a
    split) become TFDS metadata.

    Args:
      spec: the description.
      counts: samples of each split, in writing order.
      examples: what `codec.encode` returned, for one split after the other.
      recipe: see `prepare`; holds size and image_format.
      data_dir: the folder to write below.
    """

    VERSION = tfds.core.Version("0.0.0")  # the description's replaces it
    pkg_dir_path = None
    url_infos: ClassVar[dict] = {}  # nothing is downloaded; TFDS would look for checksums beside this module

    def __init__(
        self,
        spec: DatasetSpec,
        counts: Mapping[str, int],
        examples: Iterator[dict[str, Any]],
        recipe: dict[str, Any],
        *,
        data_dir: str | os.PathLike,
    ):
        self.name = spec.name
        self.VERSION = tfds.core.Version(spec.version)
        self._spec, self._counts, self._examples, self._recipe = spec, counts, examples, recipe
        super().__init__(data_dir=data_dir, file_format=tfds.core.FileFormat.ARRAY_RECORD)

    def _info(self) -> tfds.core.DatasetInfo:
        size, image_format = tuple(self._recipe["size"]), self._recipe["image_format"]
        return tfds.core.DatasetInfo(
            builder=self,
            features=features(self._spec, size, image_format),
            metadata=tfds.core.MetadataDict(recipe=self._recipe, splits={}),
            disable_shuffling=True,  # readers shuffle; the stored order is the description's
        )

    def _split_generators(self, _) -> dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in self._counts}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        labeled: dict[str, bool] = {}
        fields: tuple[str, ...] | None = None
        for index, example in enumerate(itertools.islice(self._examples, self._counts[split])):
            name = example["name"]
            if name in labeled:
                raise ValueError(f"{self.name!r} has two samples named {name!r} in {split!r}; rename one")
            labeled[name] = example["labeled"]
            here = tuple(f for f in self._spec.fields if f != "neighbors" or example[f])
            if here != (fields or here):
                raise ValueError(f"{name!r} in {split!r}: all samples of a split need neighbors, or none")
            fields = here
            yield index, _to_features(example)
        facts = {"names": list(labeled), "labeled": list(labeled.values()), "fields": list(fields)}
        self.info.metadata["splits"][split] = facts


def features(spec: DatasetSpec, size: Size, image_format: str) -> tfds.features.FeaturesDict:
    """The stored schema, one for all data sets; a field that a description lacks is left out."""
    image = functools.partial(tfds.features.Image, shape=(*size, 3), encoding_format=image_format)
    png = functools.partial(tfds.features.Image, shape=(*size, 1), encoding_format="png")
    optional = {
        "neighbors": tfds.features.Sequence(image()),
        "label": png(),
        "depth": png(dtype=np.uint16),
        "pose": tfds.features.Tensor(shape=(NEIGHBORS, 4, 4), dtype=np.float32),
    }
    return tfds.features.FeaturesDict(
        {
            "image": image(),
            "intrinsics": tfds.features.Tensor(shape=(4,), dtype=np.float32),
            "name": tfds.features.Text(),
            "labeled": tfds.features.Scalar(np.bool_),
            **{field: optional[field] for field in spec.fields},
        }
    )


def _to_features(example: dict[str, Any]) -> dict[str, Any]:
    """TFDS takes file contents as open files."""
    result = {key: io.BytesIO(value) if isinstance(value, bytes) else value for key, value in example.items()}
    if "neighbors" in result:
        result["neighbors"] = [io.BytesIO(frame) for frame in example["neighbors"]]
    return result
