"""A share of a job that several machines do: "3/16" is the third of sixteen, for array jobs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
MOST = 100_000  # parts; more are a mistyped number


@dataclasses.dataclass(frozen=True)
class Part:
    """The part `number` (from 1) of `count`."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str, flag: str = "--part") -> Part:
        """Reads "number/count". Raises ValueError that names the flag and the form."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        part = cls(*map(int, found.groups())) if found else None
        if part is None or not 1 <= part.number <= part.count <= MOST:
            raise ValueError(f"{flag}={text} is no part; write NUMBER/COUNT, from 1/16 to 16/16 for sixteen of them")
        return part

    def of(self, values: Sequence[T]) -> list[T]:
        """Every `count`-th of the values: what is alike lies together, so the parts cost about the same."""
        return list(values[self.number - 1 :: self.count])

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


WHOLE = Part()
