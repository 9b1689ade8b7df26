"""CVAT's export "Segmentation mask 1.1": pictures of class colors, and labelmap.txt that says whose they are.

Format: docs.cvat.ai, "Segmentation Mask" (that of Pascal VOC). Only frames with labels have a picture.
"""

from __future__ import annotations

import io
import pathlib
from collections.abc import Sequence

import numpy as np

from sde_seg_jax.data.annotation import cvat_files, pointer
from sde_seg_jax.data.annotation.frames import BACKGROUND, NamedLabel, OtherSize, check_size
from sde_seg_jax.data.raw_files import png, raw
from sde_seg_jax.data.spec import Size
from sde_seg_jax.image_files import open_image
from sde_seg_jax.text_files import decode_text

LABEL_MAP, PICTURES, SUFFIX = "labelmap.txt", "SegmentationClass", ".png"
BLACK, UNLABELED = 0, "background"  # how CVAT paints, and calls, pixels without a label
MODES = ("L", "P", "RGB", "RGBA")
LISTED, PICTURE = 1 << 20, 256 << 20  # bytes that labelmap.txt and a label picture may have
SHOWN = 3  # unknown colors in a message


def pictures(names: Sequence[str]) -> dict[str, str]:
    """Name of each label picture among the files of an export -> key of its frame."""
    parts = {name: _parts(name) for name in names}
    return {name: key for name, (_, key) in parts.items() if key}


def references(path: pathlib.Path, names: Sequence[str]) -> dict[str, str]:
    """Key of a frame -> reference of its label.

    Raises:
      ValueError: labelmap.txt is missing, or a frame is there twice.
    """
    found: dict[str, str] = {}
    for name, key in pictures(names).items():
        label_map = _parts(name)[0] + LABEL_MAP
        if label_map not in names:
            raise ValueError(
                f"'{path}' has '{name}' but no '{label_map}', which names the colors; export it again from CVAT as "
                f"'Segmentation mask 1.1' and keep all its files"
            )
        if key in found:
            raise ValueError(f"'{path}' has two labels of '{key}', one is '{name}'; remove one of them")
        found[key] = pointer.make(path, name)
    return found


def read(path: pathlib.Path, name: str, size: Size | None = None) -> NamedLabel:
    """One label; `names` are the classes in it.

    Black is BACKGROUND, unless labelmap.txt calls it something else than background: then CVAT paints that class and
    what has no label alike.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: a file is broken, or the picture has colors that labelmap.txt does not list.
    """
    listed = _label_map(path, _parts(name)[0] + LABEL_MAP)
    codes = _codes(path, name, list(listed), size)
    unique, where = np.unique(codes, return_inverse=True)
    classes = {int(code): listed.get(int(code), UNLABELED if code == BLACK else None) for code in unique}
    unknown = [(code >> 16, code >> 8 & 255, code & 255) for code, found in classes.items() if found is None]
    if unknown:
        raise ValueError(
            f"'{name}' of '{path}' has {len(unknown)} colors that {LABEL_MAP} does not list, the first are "
            f"{unknown[:SHOWN]}; export it again from CVAT as 'Segmentation mask 1.1'"
        )
    nobody = classes.get(BLACK, "").lower() == UNLABELED
    kept = [code for code in classes if not (code == BLACK and nobody)]
    table = [kept.index(code) if code in kept else BACKGROUND for code in classes]
    indices = np.array(table, np.int16)[where].reshape(codes.shape)
    return NamedLabel(indices, tuple(classes[code] for code in kept))


def _parts(name: str) -> tuple[str, str]:
    """The folder of the export that a file belongs to ("" or with "/") and its key; no key: no label picture."""
    before, found, after = f"/{name}".partition(f"/{PICTURES}/")
    if not found or not after.lower().endswith(SUFFIX):
        return "", ""
    return f"{before}/"[1:], after[: -len(SUFFIX)]


def _label_map(path: pathlib.Path, name: str) -> dict[int, str]:
    """Color as a number 0xrrggbb -> class, in the order of the lines "name:red,green,blue:parts:actions"."""
    with cvat_files.opened(path, name, LISTED) as file:
        data = file.read()
    try:
        text = decode_text(data)
    except ValueError as error:
        raise ValueError(f"cannot read '{name}' of '{path}' ({error}); {cvat_files.AGAIN}") from error
    found: dict[int, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("#"):
            continue
        parts = line.rsplit(":", 3)  # a name may have colons
        color = parts[1].split(",") if len(parts) == 4 else []
        if len(color) != 3 or not all(part.strip().isdecimal() and int(part) < 256 for part in color):
            raise ValueError(f"'{name}' of '{path}' has the line {line!r}; expected 'class:red,green,blue::'")
        code = int.from_bytes(map(int, color))
        if code in found:
            raise ValueError(
                f"'{name}' of '{path}' gives {found[code]!r} and {parts[0]!r} the same color; change one in CVAT, or "
                f"export as 'CVAT for images 1.1'"
            )
        found[code] = parts[0].strip()
    return found


def _codes(path: pathlib.Path, name: str, lines: Sequence[int], size: Size | None) -> np.ndarray:
    """The colors of a label picture as numbers 0xrrggbb, int32 [H, W]; of a gray one, which has the numbers of lines of
    labelmap.txt, the colors in these."""
    with cvat_files.opened(path, name, PICTURE) as file:
        data = io.BytesIO(file.read())
    try:
        with open_image(data, png.FORMATS) as image:
            check_size(image.size[::-1], size)
            image.load()
            mode = image.mode
            pixels = np.array(image if mode == "L" or mode not in MODES else image.convert("RGB"), np.int32)
    except OtherSize:
        raise
    except raw.BROKEN as error:
        message = f"cannot read '{name}' of '{path}' ({' '.join(str(error).split())}); {cvat_files.AGAIN}"
        raise ValueError(message) from error
    if mode not in MODES:
        raise ValueError(f"'{name}' of '{path}' has mode {mode}; expected class colors in an 8-bit PNG")
    if mode != "L":
        return (pixels[..., 0] << 16) + (pixels[..., 1] << 8) + pixels[..., 2]
    if pixels.max() >= len(lines):
        raise ValueError(f"'{name}' of '{path}' is gray with the id {pixels.max()}; {LABEL_MAP} has {len(lines)} lines")
    return np.array(lines, np.int32)[pixels]
