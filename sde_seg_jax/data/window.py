"""A part of an image, as rows and columns."""

from __future__ import annotations

import numpy as np

Window = tuple[slice, slice]  # rows, columns


def cut(values: np.ndarray, window: Window | None) -> np.ndarray:
    """A view of the window of one map [H, W, ...]; all of it for None."""
    return values if window is None else values[window]
