"""What the public functions take, and how what they cannot use is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_collections import ConfigDict

Path = str | os.PathLike


def checked(config: Any) -> ConfigDict:
    """The configuration itself; TypeError for anything but what `configure` returns."""
    from ml_collections import ConfigDict

    if isinstance(config, ConfigDict):
        return config
    raise TypeError(f"expected a configuration, got {config!r}; sds.configure(name, ...) makes one")
