"""A part of the samples of a source."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Some:
    """Chosen samples of a source, in the given order; what the readers need of one."""

    source: Any
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, index: int, fields: Sequence[str] | None = None, window: Any = None) -> dict[str, Any]:
        """Sample `indices[index]`."""
        return self.source.read(self.indices[index], fields, window)
