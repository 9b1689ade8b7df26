"""Writing a depth cache (see `depth_cache`) shard by shard, so that what is interrupted continues."""

from __future__ import annotations

import contextlib
import itertools
import json
import pathlib
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from etils import epath

from sde_seg_jax import disk
from sde_seg_jax.data.stored.choices import SHARD_SIZE
from sde_seg_jax.data.stored.depth_cache import (
    BEGUN,
    CODING,
    FACTS,
    SCHEMA,
    SHARD,
    Place,
    difference,
    origin_of,
    shard_name,
    spans,
)
from sde_seg_jax.part import WHOLE, Part
from sde_seg_jax.processes import together


class CacheWriter:
    """Writes what is still missing of one split's cache; of several processes each writes shards of its own.

    Args:
      place: where.
      origin: facts: weights (fingerprint), checkpoint, step, model.
      shard_size: samples a file; an unfinished cache keeps the one it was begun with.
      replace: delete a cache that was made from other weights or for other data, or in another form.
      part: write only this share of the shards; others may be writing theirs. The last one finishes the cache.

    Raises:
      ValueError: there is one, and `replace` is not given.
    """

    def __init__(
        self,
        place: Place,
        origin: Mapping[str, Any],
        shard_size: int = SHARD_SIZE,
        replace: bool = False,
        part: Part = WHOLE,
    ):
        self.place, self.part = place, part
        found = together.first_before_others(lambda: self._kept(origin, replace))
        new = {"schema": SCHEMA, "coding": CODING, **origin, "shard_size": shard_size, **place.prepared_facts()}
        self.facts = found or new
        own = set(together.part(part.of(range(len(spans(self.facts))))))
        self.missing = [shard for shard in place.missing(self.facts) if shard in own]

    def _kept(self, origin: Mapping[str, Any], replace: bool) -> dict[str, Any] | None:
        try:
            return self._usable(origin)
        except ValueError:
            if not replace:
                raise
            _delete(self.place.folder)
            return None

    def _usable(self, origin: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self.place.facts(FACTS) or self.place.facts(BEGUN)
        if found is None:
            return None
        other = difference(found, self.place.prepared_facts())
        if found["weights"] != origin["weights"]:
            other = f"from weights {origin_of(found)}, not {origin_of(origin)}"
        if other:
            raise ValueError(
                f"{self.place} in '{self.place.folder}' was made {other}: give --replace to make it again, or choose "
                f"another name with --config.data.depth_cache=NAME"
            )
        return found

    def indices(self) -> list[int]:
        """The samples that this process has still to do, in the order in which `fill` takes them."""
        every = spans(self.facts)
        return [index for shard in self.missing for index in every[shard]]

    def count(self) -> int:
        """Samples of this part of the cache, written or not; of all processes."""
        every = spans(self.facts)
        return sum(len(every[shard]) for shard in self.part.of(range(len(every))))

    def fill(self, records: Iterator[bytes]) -> bool:
        """Writes one record (see `encode`) for each of `indices()`. Is the cache complete when all processes have?

        Then the facts are written, last.

        Raises OSError.
        """
        folder = self.place.folder
        folder.mkdir(parents=True, exist_ok=True)
        if self.missing and not (folder / FACTS).exists():
            _replace(folder / BEGUN, json.dumps(self.facts, indent=1).encode())
        for shard in self.missing:
            content = list(itertools.islice(records, len(spans(self.facts)[shard])))
            _replace(folder / shard_name(shard), _array_record(content))
        self.missing = []
        together.barrier()
        complete = not self.place.missing(self.facts)  # or other parts write the rest
        together.barrier()
        if complete and together.is_first():
            if (folder / BEGUN).exists():
                with contextlib.suppress(FileNotFoundError, FileExistsError):  # another part has just done it
                    (folder / BEGUN).rename(folder / FACTS)
            for path in folder.glob("*.partial"):  # of calls that were killed
                path.unlink(missing_ok=True)
        together.barrier()
        return complete


def _array_record(records: list[bytes]) -> bytes:
    """The contents of an ArrayRecord file; made in a local one, as the library knows no buckets."""
    from array_record.python.array_record_module import ArrayRecordWriter

    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "shard"
        try:
            writer = ArrayRecordWriter(str(file), "group_size:1,uncompressed")  # PNGs are compressed
            for record in records:
                writer.write(record)
            writer.close()
        except RuntimeError as error:
            raise OSError(f"cannot write in '{scratch}' ({error}): {disk.remedy(error)}") from error
        return file.read_bytes()


def _replace(path: epath.Path, content: bytes) -> None:
    """Writes a file that appears under its name when it is complete."""
    partial = path.parent / f"{path.name}.{uuid.uuid4().hex}.partial"
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:  # of a full disk the system tells no name
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _delete(folder: epath.Path) -> None:
    """Removes a cache, its facts first, and nothing else that may lie there."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name.startswith(SHARD)):
        if path.name.startswith((FACTS, BEGUN, SHARD)):
            path.unlink()
