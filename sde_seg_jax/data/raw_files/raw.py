"""Reading raw files, with errors that name the file and the remedy."""

from __future__ import annotations

import os
import pathlib
import struct
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

from sde_seg_jax.data.raw_files import listing
from sde_seg_jax.image_files import open_image
from sde_seg_jax.types import IGNORE

IMAGES = listing.IMAGES  # suffixes of a person's own
LABEL_MODES = ("L", "P")  # ids as gray values or as palette indices
# What Pillow makes of broken files: of PNGs a SyntaxError, of a header that claims 180 million pixels a bomb, of a
# short header or a long comment a ValueError.
BROKEN = (OSError, SyntaxError, EOFError, ValueError, struct.error, Image.DecompressionBombError)


class Problems:
    """What is wrong with raw files. Listing a data set ends at the first problem, or with `skip` goes on without it.

    Attributes:
      skip: leave samples with a problem out instead of raising.
      left_out: a message for each sample (or file) that was left out.
      doubts: what may be meant otherwise; preparation goes on and says it, the doctor asks about it.
      notes: what to know, though nothing is wrong.
      counts: how many samples there are, and why not more; only the doctor tells it.
    """

    def __init__(self, *, skip: bool = False):
        self.skip, self.left_out = skip, []
        self.doubts: list[str] = []
        self.notes: list[str] = []
        self.counts: list[str] = []

    def report(self, message: str) -> None:
        """Raises a ValueError with the message, or notes it if such samples are skipped."""
        if not self.skip:
            raise ValueError(message)
        self.left_out.append(message)

    def leave_out(self, message: str) -> None:
        """Notes a sample that is known to be unusable and left out in any case."""
        self.left_out.append(message)

    def doubt(self, message: str) -> None:
        """Notes what may be meant otherwise."""
        self.doubts.append(message)

    def note(self, message: str) -> None:
        """Notes what to know, though nothing is wrong."""
        self.notes.append(message)


def folder(path: str | os.PathLike | None, name: str, layout: str) -> pathlib.Path:
    """Returns the raw folder of data set `name`; an error says what is expected there."""
    if path is None:
        raise ValueError(f"{name!r} needs raw files; set raw_dir to a folder with {layout}")
    path = pathlib.Path(path).expanduser()
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


def subfolder(root: pathlib.Path, part: str, name: str, layout: str, remedy: str = "") -> pathlib.Path:
    """Returns `root/part`; if it is missing, an error says where it lies instead, or names the `remedy`."""
    if (root / part).is_dir():
        return root / part
    message = f"Missing raw files of {name!r}: folder '{root / part}'"
    first = pathlib.PurePath(part).parts[0]
    for other in (root.parent, *sorted(path for path in root.iterdir() if path.is_dir())):
        if (other / part).is_dir() and not (root / first).is_dir():
            raise ValueError(f"{message}; '{first}' is in '{other}': set raw_dir to that")
    raise ValueError(f"{message}; {remedy or f'expected a folder with {layout}'}")


def check_pairs(
    images: Mapping[str, pathlib.Path], labels: Mapping[str, pathlib.Path], remedy: str, problems: Problems
) -> Sequence[str]:
    """Returns the sample names that have image and label, sorted; files without counterpart are problems."""
    for mine, here, other, there in (("images", images, "label", labels), ("labels", labels, "image", images)):
        alone = sorted(here.keys() - there.keys())
        if alone and not problems.skip:
            problems.report(
                f"{len(alone)} of {len(here)} {mine} have no {other}, the first is '{here[alone[0]]}'; {remedy}"
            )
        for name in alone:
            problems.report(f"'{here[name]}' has no {other}")
    return sorted(images.keys() & labels.keys())


def train_ids(label: np.ndarray, table: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """Maps raw ids [h, w] by table[id] to training ids, uint8.

    Ids beyond the table are unknown: they become IGNORE, and a warning names them and the file.
    """
    known = label < len(table)
    if not known.all():
        unknown = np.unique(label[~known]).tolist()
        warnings.warn(f"label '{path}' has unknown ids {unknown} (known: 0..{len(table) - 1}): ignored", stacklevel=2)
    return np.where(known, table[np.minimum(label, len(table) - 1)], IGNORE).astype(np.uint8)


def read_image(path: pathlib.Path) -> np.ndarray:
    """RGB uint8 [h, w, 3]. A truncated file is an error: half a picture must not enter unseen."""
    return read(path, lambda image: image.convert("RGB"))


def read_label(path: pathlib.Path) -> np.ndarray:
    """Ids uint8 [h, w] of an 8-bit gray or palette PNG."""

    def convert(image: Image.Image) -> Image.Image:
        if image.mode not in LABEL_MODES:
            raise ValueError(f"label '{path}' has mode {image.mode}; expected ids in an 8-bit gray or palette PNG")
        return image

    return read(path, convert)


def read(path: str | os.PathLike, convert: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """The decoded image after `convert`, as an array. A file that is broken or cut off is an error."""
    try:
        with open_image(path) as image:
            image.load()
            return np.array(convert(image))
    except BROKEN as error:
        if isinstance(error, ValueError) and f"'{path}'" in str(error):  # what `convert` says
            raise
        message = f"cannot read '{path}' ({' '.join(str(error).split())}); replace the file, then prepare again"
        raise ValueError(message) from error
