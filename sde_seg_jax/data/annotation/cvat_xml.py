"""CVAT's export "CVAT for images 1.1": one XML file with the masks and polygons of all frames.

Format: docs.cvat.ai, "XML annotation format". A label is found by its place in the file, so that reading one does not
parse those of all other frames.
"""

from __future__ import annotations

import dataclasses
import functools
import mmap
import os
import pathlib
import re
import shutil
import tempfile
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from sde_seg_jax.data.annotation import cvat_files, pointer, shapes
from sde_seg_jax.data.annotation.frames import BACKGROUND, NamedLabel

NAME = "annotations.xml"
ROOT, IMAGE, TRACK, TAG = "annotations", "image", "track", "tag"  # a tag is about the frame, not about pixels
INNER = re.compile(r"(.*?\.xml):(\d+)-(\d+):(.*)", re.IGNORECASE | re.DOTALL)
HEAD = 1 << 16  # bytes in which the first element must be
REMEDY = "draw masks or polygons instead, or export as 'Segmentation mask 1.1'"
Patch = tuple[int, int, np.ndarray]  # top, left, mask bool [h, w]


@dataclasses.dataclass
class _Images:
    """The frames with shapes of an XML file, found while it is parsed: (name, first byte, end)."""

    parser: expat.XMLParserType
    where: str  # for messages
    found: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    depth: int = 0
    name: str | None = None  # of the frame that is open
    first: int = 0
    shapes: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1 and tag != ROOT:
            raise ValueError(f"{self.where} starts with <{tag}>; expected CVAT's export 'CVAT for images 1.1'")
        if self.depth == 2 and tag == TRACK:
            raise ValueError(f"{self.where} has tracks of a video; export it from CVAT as 'CVAT for images 1.1'")
        if self.depth == 2 and tag == IMAGE:
            self.name, self.first, self.shapes = attributes.get("name"), self.parser.CurrentByteIndex, 0
        self.shapes += self.depth == 3 and tag != TAG

    def end(self, tag: str) -> None:
        if self.depth == 2 and tag == IMAGE and self.name and self.shapes:
            self.found.append((self.name, self.first, self.parser.CurrentByteIndex))
        self.depth -= 1


def is_export(path: pathlib.Path) -> bool:
    """Whether an XML file is one of CVAT, by its first element."""
    seen: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: seen.append(tag)
    with cvat_files.opened(path, path.name) as file:
        head = file.read(HEAD)
    try:
        parser.Parse(head, False)
    except expat.ExpatError:
        return seen[:1] == [ROOT]  # broken later on: that is for `references` to say
    return seen[:1] == [ROOT]


def references(path: pathlib.Path, name: str) -> dict[str, str]:
    """Key of each frame that has shapes -> reference of its label.

    Raises:
      ValueError: the file is broken, of a video, or a frame is there twice.
    """
    where = f"'{name}' of '{path}'"
    parser = expat.ParserCreate()
    images = _Images(parser, where)
    parser.StartElementHandler, parser.EndElementHandler = images.start, images.end
    with cvat_files.opened(path, name) as file:
        try:
            parser.ParseFile(file)
        except expat.ExpatError as error:
            raise ValueError(f"cannot read {where} ({error}); {cvat_files.AGAIN}") from error
    found: dict[str, str] = {}
    for frame, first, end in images.found:
        key = pathlib.PurePosixPath(frame).with_suffix("").as_posix()
        if key in found:
            raise ValueError(f"{where} has two labels of '{frame}'; remove one of them in CVAT and export again")
        found[key] = pointer.make(path, f"{name}:{first}-{end}:{frame}")
    return found


def read(path: pathlib.Path, inner: str) -> NamedLabel:
    """One label, its shapes painted in the order of `z_order`, then of the file; `names` are the classes in it.

    Raises:
      ValueError: the file is broken or has changed, or a shape is neither mask nor polygon.
    """
    name, first, end, frame = INNER.fullmatch(inner).groups()
    where = f"frame '{frame}' in '{name}' of '{path}'"
    document = _document(path, name, os.stat(path / name if path.is_dir() else path).st_mtime_ns)
    try:
        image = ElementTree.fromstring(document[int(first) : int(end)] + f"</{IMAGE}>".encode())
        height, width = int(image.attrib["height"]), int(image.attrib["width"])
        drawn = sorted((shape for shape in image if shape.tag != TAG), key=lambda s: int(s.get("z_order", 0)))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ValueError(f"cannot read {where} ({error}); {cvat_files.AGAIN}") from error
    indices, names = np.full((height, width), BACKGROUND, np.int16), []
    for shape in drawn:
        top, left, mask = _patch(shape, height, width, where)
        label = shape.attrib["label"]
        if label not in names:
            names.append(label)
        indices[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = names.index(label)
    return NamedLabel(indices, tuple(names))


@functools.lru_cache(maxsize=2)
def _document(path: pathlib.Path, name: str, changed: int) -> mmap.mmap:
    """The XML file, unpacked to a nameless temporary one: from within a zip, each label would be read from the start.

    It is a map and no file object, as it has no position that threads and forked workers would share.
    """
    del changed  # time of the last change: when it differs, the file is read again
    with cvat_files.opened(path, name) as file, tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
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
    except (KeyError, ValueError) as error:
        raise ValueError(f"{where} has a broken {shape.tag} ({error}); {cvat_files.AGAIN}") from error
    return top, left, mask


def _mask(shape: ElementTree.Element, height: int, width: int) -> Patch:
    left, top, columns, rows = (int(shape.attrib[key]) for key in ("left", "top", "width", "height"))
    if min(top, left) < 0 or top + rows > height or left + columns > width:
        raise ValueError(f"it reaches beyond the {width} x {height} pixels of the frame")
    return top, left, shapes.from_runs([int(run) for run in shape.attrib["rle"].split(",")], rows, columns)


def _polygon(shape: ElementTree.Element, height: int, width: int) -> Patch:
    """Only the box around it is filled: frames have many small polygons."""
    points = np.array([[float(x) for x in point.split(",")] for point in shape.attrib["points"].split(";")])
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is not finite")
    limits = (width, height)
    left, top = np.clip(np.floor(points.min(0)), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(points.max(0)), 0, limits).astype(int)
    return top, left, shapes.from_polygon(points - (left, top), bottom - top, right - left)
