"""Random access to the records of far ArrayRecord files, which are copied one by one as they are needed."""

from __future__ import annotations

import bisect
import collections
import itertools
import pathlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sde_seg_jax.data.stored.far_files import FarFiles

T = TypeVar("T")
OPEN = 64  # files that are held open at a time
AT_RANDOM = "readahead_buffer_size:0"  # read what is asked for and no more


class FarShards:
    """The records of (file name, number of records), one file after the other; may be read by many threads.

    Raises ValueError that names the file and the remedy if one cannot be copied, is damaged, or holds fewer records.
    """

    def __init__(self, far: FarFiles, files: Sequence[tuple[str, int]], remedy: str):
        held = [(file, count) for file, count in files if count]
        self._far, self._remedy = far, remedy
        self._files = [file for file, _ in held]
        self._ends = list(itertools.accumulate(count for _, count in held))
        self._readers: collections.OrderedDict[str, Any] = collections.OrderedDict()  # least recently used first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> bytes:
        place = bisect.bisect_right(self._ends, index)
        start = self._ends[place - 1] if place else 0
        return self._ask(self._files[place], lambda reader: reader.read([index - start])[0])

    def held(self) -> int:
        """Records that the files really hold; copies all of them."""
        return sum(self._ask(file, lambda reader: reader.num_records()) for file in self._files)

    def _ask(self, file: str, question: Callable[[Any], T]) -> T:
        """What a reader of a file answers. The library opens late: that a copy is gone may only be seen here."""
        failed = False
        while True:
            path, same = self._far.get(file)
            try:
                return question(self._reader(file, path, same))
            except (RuntimeError, ValueError, IndexError) as error:
                again, failed = failed, path.exists()  # a second time: it may have been gone and copied since
                if again and failed:
                    reason = " ".join(str(error).split())[:200]
                    message = f"'{self._far.url}/{file}' is damaged ({reason}); {self._remedy}"
                    raise ValueError(message) from error
            self._forget(file)  # most likely another process made room for a file of its own

    def _reader(self, file: str, path: pathlib.Path, same: bool) -> Any:
        from array_record.python.array_record_module import ArrayRecordReader

        with self._lock:
            reader = self._readers.pop(file, None)
            if reader is None or not same:
                reader = ArrayRecordReader(str(path), options=AT_RANDOM, file_reader_buffer_size=32768)
                self._let_go()
            self._readers[file] = reader
        return reader

    def _forget(self, file: str) -> None:
        self._far.forget(file)
        with self._lock:
            self._readers.pop(file, None)

    def _let_go(self) -> None:
        """Closes what was not used for long, and files that were deleted: open ones keep their room on the disk."""
        for file in [file for file in self._readers if not (self._far.folder / file).exists()]:
            del self._readers[file]
        while len(self._readers) >= OPEN:
            self._readers.popitem(last=False)
