"""Chosen frames as plain files, for any program that paints palette PNGs; the result is a raw folder by itself."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

from sde_seg_jax.data.annotation import palette, pointer
from sde_seg_jax.data.annotation.frames import IGNORED, Frame, NamedLabel
from sde_seg_jax.data.spec import Size
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.text_files import read_text
from sde_seg_jax.types import IGNORE

FOLDER, IMAGES, LABELS, CLASSES, SUFFIX = "folder", "images", "labels", "classes.json", ".png"
VOID = ("void", "unlabeled", "nothing")  # name of what is nobody's, the first that is no class
README = """{title}

images/       the frames to label
labels/       a label for each image: an 8-bit PNG of the same path and size, of class ids (gray or palette)
classes.json  name, color and id of each class; {void} ({ignore}) is for what shall not count

Where labels/ has a file already, it is what a model suggests: correct it, and take away what you do not get to.

When you are done, put this folder, as it is, into labels/ of the folder that the images come from: names of classes
count there. Or use it as a data set by itself (data.dataset=folder, data.raw_dir=this folder).
"""


def write(folder: pathlib.Path, frames: Iterable[Frame], space: LabelSpace, title: str) -> list[pathlib.Path]:
    """Writes `<folder>/folder/`: images/, labels/ (suggestions: palette PNGs of ids), classes.json, README.txt.

    Labels that are there already stay as they are, since a person may have corrected them.

    Args:
      folder: of the export.
      frames: are taken one by one.
      space: the classes.
      title: the first line of README.txt.

    Returns:
      README.txt, classes.json, images/ and, if there are suggestions, labels/.

    Raises:
      ValueError: the folder has labels of other classes.
    """
    root = folder / FOLDER
    void = next(name for name in VOID if name not in space.classes)
    classes = json.dumps(_entries(space, void), indent=1)
    path = root / CLASSES
    if path.is_file() and read_text(path) != classes and (root / LABELS).is_dir():
        raise ValueError(f"'{root}' has labels of other classes; export into another folder, or take that one away")
    root.mkdir(parents=True, exist_ok=True)
    path.write_text(classes, encoding="utf-8")
    readme = root / "README.txt"
    readme.write_text(README.format(title=title, void=void, ignore=IGNORE), encoding="utf-8")
    for frame in frames:
        _save(Image.fromarray(frame.image), root / IMAGES / f"{frame.key}{SUFFIX}")
        label = root / LABELS / f"{frame.key}{SUFFIX}"
        if frame.suggestion is not None and not label.exists():
            _save(_paletted(frame.suggestion, space), label)
    return [path for path in (readme, path, root / IMAGES, root / LABELS) if path.exists()]


def find(path: pathlib.Path) -> bool:
    """Whether a folder is one that `write` wrote."""
    return (path / CLASSES).is_file() and (path / LABELS).is_dir()


def references(path: pathlib.Path) -> dict[str, str]:
    """Key of each labeled frame -> reference for `read`."""
    root = path / LABELS
    files = (
        file.relative_to(root) for file in root.rglob("*") if file.suffix.lower() == SUFFIX and file.name[0] != "."
    )
    return {file.with_suffix("").as_posix(): pointer.make(path, f"{LABELS}/{file.as_posix()}") for file in files}


def read(reference: str, size: Size | None = None) -> NamedLabel:
    """The label of a reference; `names` are all classes. Ids that classes.json lacks become IGNORED with a warning.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: the label or classes.json is broken.
    """
    path, inner = pointer.split(reference)
    classes = palette.read_classes(str(path / CLASSES))
    ids = palette.read_label(str(path / inner), classes, size).astype(np.int16)
    return NamedLabel(np.where(ids == IGNORE, np.int16(IGNORED), ids), classes.space.classes)


def _entries(space: LabelSpace, void: str) -> list[dict]:
    """What `classes.json` says. Ids are training ids; a color that an earlier class has is left out."""
    found: list[dict] = []
    for number, (name, color) in enumerate(zip(space.classes, map(list, space.colors), strict=True)):
        known = any(entry.get("color") == color for entry in found)
        found.append({"name": name, **({} if known else {"color": color}), "id": number})
    return [*found, {"name": void, "id": IGNORE, "ignore": True}]


def _paletted(ids: np.ndarray, space: LabelSpace) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(ids, np.uint8))
    image.putpalette(space.colorize(np.arange(256)).tobytes())
    return image


def _save(image: Image.Image, path: pathlib.Path) -> None:
    """All or nothing: half a label must not be taken for one that a person has corrected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    image.save(unfinished, "PNG")
    os.replace(unfinished, path)
