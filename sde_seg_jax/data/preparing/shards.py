"""The files of prepared data: ArrayRecord shards by TFDS's naming, and what TFDS needs to read them."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import io
import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from sde_seg_jax.data.fields import ALWAYS, FIELDS, Field
from sde_seg_jax.data.spec import DatasetSpec, Size

SHORTEST, LONGEST = 8, 128  # items of a shard: an interruption costs at most one; many files are a burden
WANTED = 16  # shards of a split, between those bounds
OPTIONS = "group_size:1,uncompressed"  # one record a chunk, as TFDS reads them; image files do not shrink further


@dataclasses.dataclass(frozen=True)
class Shard:
    """Items start..stop of a split, and the name of the file that holds them."""

    split: str
    start: int
    stop: int
    file: str


def cut(name: str, split: str, count: int) -> list[Shard]:
    """Divides `count` items into shards of one length, a function of the count alone."""
    length = min(LONGEST, max(SHORTEST, math.ceil(count / WANTED)))
    total = math.ceil(count / length)
    return [
        Shard(
            split,
            index * length,
            min(count, (index + 1) * length),
            f"{name}-{split}.array_record-{index:05d}-of-{total:05d}",
        )
        for index in range(total)
    ]


def features(fields: Sequence[str], size: Size, image_format: str) -> tfds.features.FeaturesDict:
    """The stored schema, one for all data sets; a field that a description lacks is left out."""
    image = functools.partial(tfds.features.Image, shape=(*size, 3), encoding_format=image_format)
    png = functools.partial(tfds.features.Image, shape=(*size, 1), encoding_format="png")

    def feature(field: Field):
        one = {
            "image": image,
            "ids": png,
            "depth": functools.partial(png, dtype=np.uint16),
            "numbers": functools.partial(tfds.features.Tensor, shape=field.shape, dtype=np.float32),
            "text": tfds.features.Text,
            "flag": functools.partial(tfds.features.Scalar, np.bool_),
        }[field.coding]()
        return tfds.features.Sequence(one) if field.frames else one

    return tfds.features.FeaturesDict({name: feature(FIELDS[name]) for name in (*ALWAYS, *fields)})


class Serializer:
    """Turns `codec.Coded.stored` into a record. Equal samples give equal bytes, in every process."""

    def __init__(self, schema: tfds.features.FeaturesDict):
        self._schema, self._examples = schema, ExampleSerializer(schema.get_serialized_info())

    def __call__(self, stored: dict[str, Any]) -> bytes:
        opened = {key: _open(value) for key, value in stored.items()}
        # TFDS's own serialize_example orders a record's fields anew in every process
        example = self._examples.get_tf_example(self._schema.encode_example(opened))
        return example.SerializeToString(deterministic=True)


def write(path: pathlib.Path, records: Iterator[bytes]) -> None:
    """Writes a shard to `path` and checks that it can be opened and holds them all; else leaves no file.

    Raises:
      OSError: it can't be written; the error number tells a full disk.
    """
    count = 0
    try:
        with _as_os_error(path):
            writer = ArrayRecordWriter(os.fspath(path), OPTIONS)
        for record in records:
            with _as_os_error(path):
                writer.write(record)
            count += 1
        with _as_os_error(path):
            writer.close()
            found = count_records(path)
        if found != count:
            raise OSError(f"'{path}' holds {found} of {count} records after writing; check the disk")
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _as_os_error(path: pathlib.Path) -> Iterator[None]:
    """The C++ writer reports everything as RuntimeError; the system's description in it gives the error number."""
    try:
        yield
    except RuntimeError as error:
        message = str(error)
        code = next((code for code in errno.errorcode if f" {os.strerror(code)}" in message), errno.EIO)
        raise OSError(code, message.partition(";")[0], os.fspath(path)) from None


def count_records(path: pathlib.Path) -> int:
    """Returns how many records a shard holds; 0 if it is broken."""
    reader = ArrayRecordReader(os.fspath(path))
    try:
        return reader.num_records()
    finally:
        reader.close()


def write_info(
    folder: pathlib.Path,
    spec: DatasetSpec,
    schema: tfds.features.FeaturesDict,
    metadata: dict[str, Any],
) -> None:
    """Writes what `tfds.builder_from_directory` reads: the schema, the shards that `metadata` names, and these."""
    identity = tfds.core.dataset_info.DatasetIdentity(
        name=spec.name, version=tfds.core.Version(spec.version), data_dir=os.fspath(folder), module_name=""
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        features=schema,
        metadata=tfds.core.MetadataDict(metadata),
        disable_shuffling=True,  # readers shuffle; the stored order is the description's
    )
    info.set_file_format(tfds.core.FileFormat.ARRAY_RECORD)
    template = tfds.core.ShardedFileTemplate(data_dir=folder, dataset_name=spec.name, filetype_suffix="array_record")
    splits = [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=found["lengths"],
            num_bytes=found["bytes"],
            filename_template=template.replace(split=split),
        )
        for split, found in metadata["shards"].items()
    ]
    info.set_splits(tfds.core.splits.SplitDict(splits))
    info.write_to_directory(folder)


def _open(value: Any) -> Any:
    """TFDS takes file contents as open files."""
    if isinstance(value, list):
        return [io.BytesIO(content) for content in value]
    return io.BytesIO(value) if isinstance(value, bytes) else value
