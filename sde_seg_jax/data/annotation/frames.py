"""What all labelling tools share: a frame to be labelled, and a label as a tool gives it back."""

from __future__ import annotations

import dataclasses

import numpy as np

BACKGROUND = -1  # index of a pixel that nobody labelled
IGNORED = -2  # index of a pixel that somebody said not to count


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame that a person is asked to label.

    Attributes:
      key: its path below the raw folder without suffix, "front/2024/frame1", of a video "tour/000012": labels/ mirrors
        it, and a tool gives the label back under it.
      image: uint8 [H,W,3].
      suggestion: uint8 [H,W], training ids of a model (IGNORE: none); None without a model.
      note: a line about why it was chosen, for tools that show one.
    """

    key: str
    image: np.ndarray
    suggestion: np.ndarray | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class NamedLabel:
    """A label as a tool stores it.

    Attributes:
      indices: int16 [H,W], index into `names`; BACKGROUND where nothing was labelled, IGNORED where it must not
        count.
      names: classes as they are called in the tool.
    """

    indices: np.ndarray
    names: tuple[str, ...]
