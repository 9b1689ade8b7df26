"""CVAT's export "CVAT for images 1.1": one XML file with the masks and polygons of all frames.

Format: docs.cvat.ai, "XML annotation format". A label is found by its place in the file, so that reading one does not
parse those of all other frames.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import pathlib
import re
import tempfile
import warnings
from xml.etree import ElementTree

import numpy as np

from sde_seg_jax.data.annotation import cvat_files, pointer, shapes, xml_files
from sde_seg_jax.data.annotation.frames import BACKGROUND, NamedLabel, OtherSize, check_size, paint
from sde_seg_jax.data.spec import Size

NAME = "annotations.xml"
ROOT, IMAGE, TRACK, TAG = "annotations", "image", "track", "tag"  # a tag is about the frame, not about pixels
INNER = re.compile(r"(.*?\.xml):(\d+)-(\d+):(.*)", re.IGNORECASE | re.DOTALL)
BEYOND = 4  # times the pixels of the frame that a mask may have
REMEDY = "draw masks or polygons instead, or export as 'Segmentation mask 1.1'"
Patch = shapes.Patch


class _Other(ValueError):
    """The file can be read, but is of another kind."""


class _Images:
    """The frames with shapes of an XML file, found while it is parsed: (name, first byte, end)."""

    def __init__(self, where: str):
        self.where = where  # for messages
        self.parser = xml_files.Parser(self.start, self.end)
        self.found: list[tuple[str, int, int]] = []
        self.name: str | None = None  # of the frame that is open
        self.first = self.shapes = 0

    def start(self, tag: str, attributes: dict[str, str], depth: int) -> None:
        if depth == 1 and tag != ROOT:
            raise _Other(f"{self.where} starts with <{tag}>; expected CVAT's export 'CVAT for images 1.1'")
        if depth == 2 and tag == TRACK:
            raise _Other(f"{self.where} has tracks of a video; export it from CVAT as 'CVAT for images 1.1'")
        if depth == 2 and tag == IMAGE:
            self.name, self.first, self.shapes = attributes.get("name"), self.parser.place, 0
        self.shapes += depth == 3 and tag != TAG

    def end(self, tag: str, depth: int) -> None:
        if depth == 2 and tag == IMAGE and self.name and self.shapes:
            self.found.append((self.name, self.first, self.parser.place))


def is_export(path: pathlib.Path) -> bool:
    """Whether an XML file is one of CVAT, by its first element."""
    seen: list[str] = []
    parser = xml_files.Parser(lambda tag, *_: seen.append(tag))
    with cvat_files.opened(path, path.name) as file, contextlib.suppress(ValueError):  # that `references` tells
        for piece in xml_files.utf8(file):
            parser.feed(piece)
            break
    return seen[:1] == [ROOT]


def references(path: pathlib.Path, name: str) -> dict[str, str]:
    """Key of each frame that has shapes -> reference of its label.

    Raises:
      ValueError: the file is broken, of a video, or a frame is there twice.
    """
    where = f"'{name}' of '{path}'"
    images = _Images(where)
    with cvat_files.opened(path, name) as file:
        try:
            images.parser.parse(file)
        except _Other:
            raise
        except ValueError as error:
            raise ValueError(f"cannot read {where} ({error}); {cvat_files.AGAIN}") from error
    found: dict[str, str] = {}
    for frame, first, end in images.found:
        key = pathlib.PurePosixPath(frame.replace("\\", "/")).with_suffix("").as_posix()
        if key in found:
            raise ValueError(f"{where} has two labels of '{frame}'; remove one of them in CVAT and export again")
        found[key] = pointer.make(path, f"{name}:{first}-{end}:{frame}")
    return found


def read(path: pathlib.Path, inner: str, size: Size | None = None) -> NamedLabel:
    """One label, its shapes painted in the order of `z_order`, then of the file; `names` are the classes in it.

    What a mask has beyond the frame is cut off, with a warning.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: the file is broken or has changed, or a shape is neither mask nor polygon.
    """
    name, first, end, frame = INNER.fullmatch(inner).groups()
    where = f"frame '{frame}' in '{name}' of '{path}'"
    file = path / name if (path / name).is_file() else path
    document = _document(path, name, os.stat(file).st_mtime_ns)
    try:
        image = ElementTree.fromstring(document[int(first) : int(end)] + f"</{IMAGE}>".encode())
        height, width = int(image.attrib["height"]), int(image.attrib["width"])
        drawn = sorted((shape for shape in image if shape.tag != TAG), key=lambda s: int(s.get("z_order", 0)))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ValueError(f"cannot read {where} ({error}); {cvat_files.AGAIN}") from error
    try:
        check_size((height, width), size)
    except OtherSize:
        raise
    except ValueError as error:
        raise ValueError(f"cannot read {where} ({error}); {cvat_files.AGAIN}") from error
    indices, names, beyond, painted = np.full((height, width), BACKGROUND, np.int16), [], 0, 0
    for shape in drawn:
        patch = _patch(shape, height, width, where)
        beyond += shape.tag == "mask" and patch[-1].size < int(shape.attrib["width"]) * int(shape.attrib["height"])
        label = shape.attrib["label"]
        if label not in names:
            names.append(label)
        try:
            painted = paint(indices, patch, names.index(label), painted)
        except ValueError as error:
            raise ValueError(f"cannot read {where} ({error}); {cvat_files.AGAIN}") from error
    if beyond:
        beyond_what = f"beyond its {width} x {height} pixels"
        warnings.warn(f"{where} has {beyond} masks that reach {beyond_what}: cut off", stacklevel=2)
    return NamedLabel(indices, tuple(names))


@functools.lru_cache(maxsize=2)
def _document(path: pathlib.Path, name: str, changed: int) -> mmap.mmap:
    """The XML file in UTF-8, as a nameless temporary one: from within a zip, each label would be read from the start.

    It is a map and no file object, as it has no position that threads and forked workers would share.
    """
    del changed  # time of the last change: when it differs, the file is read again
    with cvat_files.opened(path, name) as file, tempfile.TemporaryFile() as copy:
        try:
            copy.writelines(xml_files.utf8(file))
        except ValueError as error:
            raise ValueError(f"cannot read '{name}' of '{path}' ({error}); {cvat_files.AGAIN}") from error
        copy.write(b"\n")  # there is no map of an empty file
        copy.flush()
        return mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)


def _patch(shape: ElementTree.Element, height: int, width: int, where: str) -> Patch:
    kinds = {"mask": _mask, "polygon": _polygon}
    if shape.tag not in kinds:
        raise ValueError(f"{where} has a shape of the kind '{shape.tag}' ({shape.get('label')}); {REMEDY}")
    try:
        shape.attrib["label"]
        top, left, mask = kinds[shape.tag](shape, height, width)
    except (KeyError, ValueError, OverflowError) as error:
        raise ValueError(f"{where} has a broken {shape.tag} ({error}); {cvat_files.AGAIN}") from error
    return top, left, mask


def _mask(shape: ElementTree.Element, height: int, width: int) -> Patch:
    left, top, columns, rows = (int(shape.attrib[key]) for key in ("left", "top", "width", "height"))
    if min(rows, columns) < 1 or rows * columns > BEYOND * height * width:
        raise ValueError(f"it has {columns} x {rows} pixels, the frame {width} x {height}")
    mask = shapes.from_runs([int(run) for run in shape.attrib["rle"].split(",")], rows, columns)
    first_row, first_column = min(max(-top, 0), rows), min(max(-left, 0), columns)
    top, left = min(max(top, 0), height), min(max(left, 0), width)
    return top, left, mask[first_row : first_row + height - top, first_column : first_column + width - left]


def _polygon(shape: ElementTree.Element, height: int, width: int) -> Patch:
    points = np.array([[float(x) for x in point.split(",")] for point in shape.attrib["points"].split(";")])
    return shapes.patch_of_polygon(points, height, width)
