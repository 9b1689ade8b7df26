"""CVAT's export "Segmentation mask 1.1": pictures of class colors, and labelmap.txt that says whose they are.

Format: docs.cvat.ai, "Segmentation Mask" (that of Pascal VOC). Only frames with labels have a picture.
"""

from __future__ import annotations

import io
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from sde_seg_jax.data.annotation import cvat_files, pointer
from sde_seg_jax.data.annotation.frames import BACKGROUND, NamedLabel
from sde_seg_jax.data.raw_files import raw

LABEL_MAP, PICTURES, SUFFIX = "labelmap.txt", "SegmentationClass", ".png"
BLACK, UNLABELED = 0, "background"  # how CVAT paints, and calls, pixels without a label
MODES = ("L", "P", "RGB", "RGBA")
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


def read(path: pathlib.Path, name: str) -> NamedLabel:
    """One label; `names` are the classes in it.

    Black is BACKGROUND, unless labelmap.txt calls it something else than background: then CVAT paints that class and
    what has no label alike.

    Raises:
      ValueError: a file is broken, or the picture has colors that labelmap.txt does not list.
    """
    listed = _label_map(path, _parts(name)[0] + LABEL_MAP)
    codes = _codes(path, name, list(listed))
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
    with cvat_files.opened(path, name) as file:
        text = file.read().decode("utf-8-sig", "replace")
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


def _codes(path: pathlib.Path, name: str, lines: Sequence[int]) -> np.ndarray:
    """The colors of a label picture as numbers 0xrrggbb, int32 [H, W]; of a gray one, which has the numbers of lines of
    labelmap.txt, the colors in these."""
    with cvat_files.opened(path, name) as file:
        data = io.BytesIO(file.read())
    try:
        with Image.open(data) as image:
            image.load()
            if image.mode not in MODES:
                raise ValueError(f"'{name}' of '{path}' has mode {image.mode}; expected class colors in an 8-bit PNG")
            gray, pixels = image.mode == "L", np.array(image if image.mode == "L" else image.convert("RGB"), np.int32)
    except raw.BROKEN as error:
        message = f"cannot read '{name}' of '{path}' ({' '.join(str(error).split())}); {cvat_files.AGAIN}"
        raise ValueError(message) from error
    if not gray:
        return (pixels[..., 0] << 16) + (pixels[..., 1] << 8) + pixels[..., 2]
    if pixels.max() >= len(lines):
        raise ValueError(f"'{name}' of '{path}' is gray with the id {pixels.max()}; {LABEL_MAP} has {len(lines)} lines")
    return np.array(lines, np.int32)[pixels]
