"""Pictures that commands keep beside a run: whether one is whole, and reading it."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from sde_seg_jax.state_files.reading import named

LAST = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}  # bytes that end a whole file


def is_whole(path: str | os.PathLike) -> bool:
    """Is the picture there, and not cut off? Its end is looked at, not its pixels."""
    path = pathlib.Path(path)
    end = LAST[path.suffix.lower()]
    try:
        with path.open("rb") as file:
            file.seek(-len(end), os.SEEK_END)
            return file.read() == end
    except OSError:  # missing, or shorter than its end
        return False


def read_picture(path: str | os.PathLike, remedy: str) -> Any:
    """A PNG as RGB uint8 [H, W, 3]. Raises DamagedFile, OSError."""
    import numpy as np

    from sde_seg_jax.image_files import open_image

    with named(path, remedy), open_image(path, ("PNG",)) as image:
        if not is_whole(path):  # what Pillow reads all the same
            raise ValueError("it is cut off")
        return np.asarray(image.convert("RGB"))
