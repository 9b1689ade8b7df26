"""Labels against the pictures that they were drawn on: their sizes, and pictures that an EXIF entry turns.

A frame is read upright. A tool that ignores the entry shows, and labels, the picture as it is stored.
"""

from __future__ import annotations

import contextlib
import os
import warnings

import numpy as np

from sde_seg_jax.data.annotation import palette
from sde_seg_jax.data.annotation.frames import OtherSize
from sde_seg_jax.data.own import own_labels
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import Size
from sde_seg_jax.image_files import TURNED, open_image, orientation

HOW = {  # what brings a stored picture, and a label drawn on it, upright
    5: "mirrored at the diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored at the other diagonal",
    8: "turned by 90 degrees counterclockwise",
}
UPRIGHT = "store the images upright (ImageMagick: mogrify -auto-orient) and label these"


def read_label(label: str, classes: palette.Classes, image: str, size: Size) -> np.ndarray:
    """`own_labels.read_label` of a frame.

    Args:
      label: path or reference.
      classes: of `classes.json`.
      image: path of the frame; of a video, what names it.
      size: (height, width) of the frame, upright.

    Raises:
      ValueError: as that does; or the label has another size, with the remedy where the frame has an EXIF turn.
    """
    try:
        found = own_labels.read_label(label, classes, size)
    except OtherSize as error:
        raise ValueError(_other_size(label, error.size, image, size)) from error
    turn = _turn(image)
    if turn != 1 and (turn not in TURNED or size[0] == size[1]):
        warnings.warn(
            f"label '{label}' fits image '{image}' as stored and as turned by its EXIF entry (orientation {turn}): it "
            f"is taken for one of the turned picture; look whether that is right, else {UPRIGHT}",
            stacklevel=2,
        )
    return found


def _other_size(label: str, found: Size, image: str, size: Size) -> str:
    sizes = f"label '{label}' is {found[0]}x{found[1]} but image '{image}' is {size[0]}x{size[1]} (h x w)"
    turn = _turn(image)
    if turn in TURNED and tuple(found) == tuple(size)[::-1]:
        return (
            f"{sizes}, turned by its EXIF entry (orientation {turn}), which the tool of the label ignored: save the "
            f"label {HOW[turn]}, or {UPRIGHT}"
        )
    return f"{sizes}; make them equal"


def _turn(image: str) -> int:
    """The orientation in the EXIF entry of an image file, 1 (none) to 8; 1 of a frame of a video."""
    if os.path.isfile(image):
        with contextlib.suppress(*raw.BROKEN), open_image(image) as file:
            return orientation(file)
    return 1
