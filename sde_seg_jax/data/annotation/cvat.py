"""CVAT (cvat.ai, or hosted by oneself): frames to label written for it, its finished labels read back.

Read are its exports "Segmentation mask 1.1" and "CVAT for images 1.1", as zip or unpacked; nothing is unpacked here.
The names of frames come back as `write` put them into images.zip: the key, and the suffix of an image.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from sde_seg_jax.data.annotation import cvat_files, cvat_masks, cvat_xml, pointer
from sde_seg_jax.data.annotation.cvat_task import write
from sde_seg_jax.data.annotation.frames import NamedLabel
from sde_seg_jax.data.spec import Size

__all__ = ["find", "read", "references", "write"]


def find(path: pathlib.Path) -> bool:
    """Whether a file or folder is an export of CVAT that `references` understands.

    Raises:
      ValueError: a zip or XML file that can not be read.
    """
    if path.is_dir():
        parts = (cvat_xml.NAME, cvat_masks.LABEL_MAP, cvat_masks.PICTURES)
        return any((path / part).exists() for part in parts)
    if path.suffix.lower() == ".xml":
        return cvat_xml.is_export(path)
    if path.suffix.lower() != ".zip":
        return False
    names = cvat_files.names(path)
    label_map = any(name.rpartition("/")[2] == cvat_masks.LABEL_MAP for name in names)
    return bool(label_map or cvat_masks.pictures(names) or _documents(path, names))


def references(path: pathlib.Path) -> dict[str, str]:
    """Key of each labeled frame -> reference for `read`; no pixels are read. Keys are those that `write` got.

    Raises:
      ValueError: the export is broken, incomplete, or has a frame twice.
    """
    names = cvat_files.names(path)
    documents = _documents(path, names)
    if not cvat_masks.pictures(names) and not documents:
        raise ValueError(f"'{path}' has no labels; export it from CVAT again when frames have some")
    found = cvat_masks.references(path, names)
    for document in documents:
        for key, reference in cvat_xml.references(path, document).items():
            if key in found:
                raise ValueError(f"'{path}' has two labels of '{key}'; remove the older export")
            found[key] = reference
    return found


def read(reference: str, size: Size | None = None) -> NamedLabel:
    """The label of a reference.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: it is broken, has colors that are no class, or shapes that are no regions.
    """
    path, inner = pointer.split(reference)
    return (cvat_xml if cvat_xml.INNER.fullmatch(inner) else cvat_masks).read(path, inner, size)


def _documents(path: pathlib.Path, names: Sequence[str]) -> Sequence[str]:
    """The XML files of an export."""
    return names if path.suffix.lower() == ".xml" else [n for n in names if n.rpartition("/")[2] == cvat_xml.NAME]
