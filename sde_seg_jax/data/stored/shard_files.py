"""Random access to the records of several ArrayRecord files, of which it is known how many each holds."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import os
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class File:
    """What ArrayRecord wants to know of a file, so that it need not open all of them at once."""

    filename: str
    take: int
    examples_in_shard: int
    skip: int = 0


class ShardFiles:
    """The records of (file, number of records), one file after the other; may be read by many threads.

    Raises ValueError that names the file and the remedy if one is missing, is damaged, or holds fewer records.
    """

    def __init__(self, files: Sequence[tuple[str, int]], remedy: str):
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        held = [(file, count) for file, count in files if count]  # ArrayRecord knows no empty ones
        self._files, self._remedy = [file for file, _ in held], remedy
        self._ends = list(itertools.accumulate(count for _, count in held))
        missing = next((file for file in self._files if not os.path.isfile(file)), None)
        if missing is not None:
            raise ValueError(f"'{missing}' is missing; {remedy}")
        self._records = ArrayRecordDataSource([File(file, count, count) for file, count in held]) if held else []

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def held(self) -> int:
        """Records that the files really hold."""
        from array_record.python.array_record_module import ArrayRecordReader

        return sum(ArrayRecordReader(file).num_records() for file in self._files)

    def __getitem__(self, index: int) -> bytes:
        try:
            return self._records[index]
        except (RuntimeError, ValueError) as error:
            file = self._files[bisect.bisect_right(self._ends, index)]
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"'{file}' is damaged ({reason}); {self._remedy}") from error
