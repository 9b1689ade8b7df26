"""What all labelling tools share: a frame to be labelled, and a label as a tool gives it back."""

from __future__ import annotations

import dataclasses

import numpy as np

from sde_seg_jax.data.spec import Size

BACKGROUND = -1  # index of a pixel that nobody labelled
IGNORED = -2  # index of a pixel that somebody said not to count
PIXELS = 1 << 27  # of a label, at most
PAINTED = 1 << 31  # pixels of all shapes of a label together, at most; takes about ten seconds


class OtherSize(ValueError):
    """A label has another size than its frame.

    Attributes:
      size: (height, width) of the label.
    """

    def __init__(self, size: Size, wanted: Size):
        super().__init__(f"it has {size[1]} x {size[0]} pixels, its frame {wanted[1]} x {wanted[0]}")
        self.size = size


def paint(indices: np.ndarray, patch: tuple[int, int, np.ndarray], index: int, painted: int) -> int:
    """Paints a shape over what is there; returns how many pixels shapes have had so far.

    Args:
      indices: of the label [H,W], changed in place.
      patch: top, left and mask bool [h, w].
      index: of its class.
      painted: what the call before returned, 0 at first.

    Raises:
      ValueError: all shapes have too many pixels.
    """
    top, left, mask = patch
    painted += mask.size
    if painted > PAINTED:
        raise ValueError(f"its shapes have more than {PAINTED:,} pixels in all; join or delete some")
    np.copyto(indices[top : top + mask.shape[0], left : left + mask.shape[1]], np.int16(index), where=mask)
    return painted


def check_size(size: Size, wanted: Size | None) -> None:
    """Checks what a file says of the size of a label, before there is an array of it.

    Args:
      size: (height, width).
      wanted: those of the frame; None: not known.

    Raises:
      OtherSize: they differ.
      ValueError: there are no pixels, or too many.
    """
    if min(size) < 1 or size[0] * size[1] > PIXELS:
        raise ValueError(f"it has {size[1]} x {size[0]} pixels; expected at least 1 and at most {PIXELS:,} in all")
    if wanted is not None and tuple(size) != tuple(wanted):
        raise OtherSize(size, wanted)


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
