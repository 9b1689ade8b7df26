"""A task for CVAT: its images, its labels, what a model suggests for them, and how to bring that into CVAT.

The suggestions are masks in CVAT's own XML (docs.cvat.ai, "XML annotation format"): of the formats that CVAT imports,
the one that brings masks in as masks whatever its settings; pictures of class colors become polygons by default. The
backup of a task would be one file instead of three, but what is in the JSON files of it is not documented.
"""

from __future__ import annotations

import io
import json
import pathlib
import tempfile
import zipfile
from collections.abc import Iterable
from typing import IO
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image

from sde_seg_jax.data.annotation import shapes
from sde_seg_jax.data.annotation.frames import Frame
from sde_seg_jax.label_spaces import LabelSpace

IMAGES, LABELS, SUGGESTIONS, README = "images.zip", "labels.json", "annotations.zip", "README.txt"
DOCUMENT = "annotations.xml"  # in SUGGESTIONS
SUFFIX, QUALITY = ".jpg", 95  # of the images: to be looked at, and uploaded
COLORS = 1 << 24
UPLOAD = """\
3. On the task: Actions > Upload annotations, format "CVAT 1.1", file annotations.zip, without "Convert masks to
   polygons". The frames then show what a model suggests: correct it.
"""
STEPS = """\
{title}: {count} frames to label in CVAT

1. Tasks > + > Create a new task. Give it a name; under Labels choose "Raw" and replace what is there by the content
   of labels.json. Keep the names of the classes: they bring the labels back.
2. Select files > My computer: images.zip, as it is: the folders in it bring the labels back to their frames. Submit.
{upload}4. Label with the brush or with polygons; the higher layer is in front. Leave out what you cannot tell: pixels
   without a label are ignored in training.
5. When done: Actions > Export task dataset, format "Segmentation mask 1.1" or "CVAT for images 1.1", without images.
6. Put the zip that you get into the folder labels/ of your images, beside other labels, and prepare the data again.
"""


def write(folder: pathlib.Path, frames: Iterable[Frame], space: LabelSpace, title: str) -> list[pathlib.Path]:
    """Writes what a person needs for a task in CVAT; returns the files.

    `images.zip`, `labels.json` (to paste), where a frame has a suggestion `annotations.zip` with a mask for each class,
    and `README.txt` with the steps. Frames are taken one by one; none is kept.

    Raises:
      ValueError: there are no frames, or a suggestion does not fit its frame or the classes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUGGESTIONS).unlink(missing_ok=True)  # of another export
    sizes: dict[str, tuple[int, int]] = {}
    drafts: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(folder / IMAGES, "w") as images, tempfile.TemporaryFile() as file:
        for frame in frames:
            name = frame.key + SUFFIX
            images.writestr(zipfile.ZipInfo(name), _jpeg(frame.image))
            sizes[name] = frame.image.shape[:2]
            if frame.suggestion is not None:
                start = file.tell()
                drafts[name] = start, file.write(_masks(frame, space))
        if not sizes:
            raise ValueError(f"no frames to export to '{folder}'; select some first")
        if drafts:
            _write_suggestions(folder / SUGGESTIONS, sizes, drafts, file, space, title)
    (folder / LABELS).write_text(json.dumps(_labels(space), indent=1), encoding="utf-8")
    text = STEPS.format(title=title, count=len(sizes), upload=UPLOAD if drafts else "3. (Without suggestions.)\n")
    (folder / README).write_text(text, encoding="utf-8")
    return [folder / name for name in (IMAGES, LABELS, SUGGESTIONS, README) if (folder / name).is_file()]


def _labels(space: LabelSpace) -> list[dict[str, object]]:
    """The labels of the task; each has a color of its own that is not black, as the export of masks needs."""
    used, labels = {0}, []
    for name, color in zip(space.classes, space.colors, strict=True):
        code = int.from_bytes(bytes(color))
        while code in used:
            code = (code + 1) % COLORS
        used.add(code)
        labels.append({"name": name, "color": f"#{code:06x}", "type": "any", "attributes": []})
    return labels


def _jpeg(image: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=QUALITY, subsampling=0)
    return data.getvalue()


def _masks(frame: Frame, space: LabelSpace) -> bytes:
    """The suggestion as elements of the XML file, one for each class."""
    ids, lines = np.asarray(frame.suggestion), []
    if ids.shape != frame.image.shape[:2]:
        raise ValueError(f"frame '{frame.key}' has {frame.image.shape[:2]} pixels, its suggestion {ids.shape}")
    for number in np.unique(ids).tolist():
        if number == space.ignore:
            continue
        if number >= space.num_classes:
            raise ValueError(
                f"the suggestion for '{frame.key}' has the id {number}; expected 0 to {space.num_classes - 1}"
            )
        rows, columns = shapes.box(ids == number)
        mask = ids[rows, columns] == number
        lines.append(
            f'    <mask label={quoteattr(space.classes[number])} source="auto" occluded="0" '
            f'rle="{", ".join(map(str, shapes.runs(mask)))}" left="{columns.start}" top="{rows.start}" '
            f'width="{mask.shape[1]}" height="{mask.shape[0]}" z_order="0">\n    </mask>\n'
        )
    return "".join(lines).encode()


def _write_suggestions(
    path: pathlib.Path,
    sizes: dict[str, tuple[int, int]],
    drafts: dict[str, tuple[int, int]],
    file: IO[bytes],
    space: LabelSpace,
    title: str,
) -> None:
    """The XML file in a zip: frames in the order of their names, as CVAT numbers them."""
    entry = zipfile.ZipInfo(DOCUMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    labels = "".join(f"<label><name>{escape(n)}</name><attributes></attributes></label>" for n in space.classes)
    with zipfile.ZipFile(path, "w") as archive, archive.open(entry, "w", force_zip64=True) as document:
        document.write(
            f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
            f"  <meta><task><name>{escape(title)}</name><size>{len(sizes)}</size><mode>annotation</mode>"
            f"<labels>{labels}</labels></task></meta>\n".encode()
        )
        for number, name in enumerate(sorted(sizes)):
            height, width = sizes[name]
            start, length = drafts.get(name, (0, 0))
            file.seek(start)
            head = f'  <image id="{number}" name={quoteattr(name)} width="{width}" height="{height}">\n'
            document.write(head.encode())
            document.write(file.read(length))
            document.write(b"  </image>\n")
        document.write(b"</annotations>\n")
