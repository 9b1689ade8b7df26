"""Reading raw files, with errors that name the file and the remedy."""

from __future__ import annotations

import os
import pathlib

import numpy as np
from PIL import Image

LABEL_MODES = ("L", "P")  # ids as gray values or as palette indices


def folder(path: str | os.PathLike | None, name: str, layout: str) -> pathlib.Path:
    """Returns the raw folder of data set `name`; an error says what is expected there."""
    if path is None:
        raise ValueError(f"{name!r} needs raw files; set raw_dir to a folder with {layout}")
    path = pathlib.Path(path)
    if not path.is_dir():
        raise ValueError(f"raw folder '{path}' of {name!r} does not exist; expected a folder with {layout}")
    if not os.access(path, os.R_OK | os.X_OK):
        raise ValueError(f"raw folder '{path}' of {name!r} is not readable; change its permissions")
    return path


def existing(path: pathlib.Path, name: str, layout: str) -> pathlib.Path:
    """Returns `path`; an error names it and the expected layout if it is missing."""
    if not path.is_file():
        raise ValueError(f"Missing raw files of {name!r}: '{path}'; expected a folder with {layout}")
    return path


def read_image(path: pathlib.Path) -> np.ndarray:
    """RGB uint8 [h, w, 3]. A truncated file is an error: half a picture must not enter unseen."""
    return _read(path, lambda image: image.convert("RGB"))


def read_label(path: pathlib.Path) -> np.ndarray:
    """Ids uint8 [h, w] of an 8-bit gray or palette PNG."""

    def convert(image: Image.Image) -> Image.Image:
        if image.mode not in LABEL_MODES:
            raise ValueError(f"label '{path}' has mode {image.mode}; expected ids in an 8-bit gray or palette PNG")
        return image

    return _read(path, convert)


def _read(path, convert) -> np.ndarray:
    try:
        with Image.open(path) as image:
            image.load()
            return np.array(convert(image))
    except (OSError, SyntaxError) as error:  # Pillow reports a broken PNG as SyntaxError
        message = f"cannot read '{path}' ({error}); replace the file, then prepare again"
        raise ValueError(message) from error
