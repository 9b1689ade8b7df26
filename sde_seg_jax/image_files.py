"""Opening image files: the one place that says which formats are meant.

Pillow looks at a file's first bytes, not at its name, and can some fifty formats, one of which (EPS) starts another
program. So every caller names those that it wants.
"""

from __future__ import annotations

import os
from typing import IO

from PIL import Image, UnidentifiedImageError

PICTURES = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")  # frames, and files of ids or colors; as Pillow calls them
ORIENTATION = 0x0112  # the EXIF entry
TURNED = (5, 6, 7, 8)  # its values for pictures that are stored lying on their side


def open_image(file: str | os.PathLike | IO[bytes], formats: tuple[str, ...] = PICTURES) -> Image.Image:
    """The image in a file, whose pixels are not read yet; use it in `with`.

    Raises:
      OSError: the file can't be read, or has another format.
      Whatever else Pillow makes of broken files: see `data.raw_files.raw.BROKEN`.
    """
    try:
        return Image.open(file, formats=formats)
    except UnidentifiedImageError:
        kinds = " or ".join(filter(None, (", ".join(formats[:-1]), formats[-1])))
        raise UnidentifiedImageError(f"it is broken, or no {kinds} file") from None


def orientation(image: Image.Image) -> int:
    """How a picture is to be turned, 1 (not at all) to 8, as its EXIF entry says."""
    found = image.getexif().get(ORIENTATION, 1)
    return found if found in range(1, 9) else 1
