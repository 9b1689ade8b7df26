"""What a person's raw files are, in a few characters: so it is noticed when data were prepared from others."""

from __future__ import annotations

import functools
import hashlib
import pathlib
from collections.abc import Iterable

from sde_seg_jax.data.own import label_files
from sde_seg_jax.data.own.found import CAMERA, CLASSES, LABELS, look
from sde_seg_jax.data.raw_files import listing
from sde_seg_jax.text_files import nfc


def raw_state(root: pathlib.Path) -> dict[str, tuple[int, str]]:
    """{"labels": (number of labelled frames, digest), "frames": (number of files, digest)} of a raw folder.

    Labels, classes and cameras count by place and content, images and videos by place and size: a copy of the folder
    has the same state. Raises ValueError as `found.look` and `label_files.look`.
    """
    media = [clip.path / image for clip in look(root).clips for image in clip.images or ("",)]
    sizes = ((_place(root, path), str(path.stat().st_size)) for path in media)
    cameras = ((_place(root, path), _content(path)) for path in _files(root) if path.name.endswith(CAMERA))
    labels = _labels(root, label_files.state(root), _changed(root / CLASSES))
    return {"labels": labels, "frames": (len(media), _digest([*sizes, *cameras]))}


@functools.lru_cache(maxsize=4)
def _labels(root: pathlib.Path, *state: int) -> tuple[int, str]:
    del state  # of the files: when they change, they are looked at again
    files = [*_files(root / LABELS), *(path for path in [root / CLASSES] if path.is_file())]
    return len(label_files.look(root).labels), _digest((_place(root, path), _content(path)) for path in files)


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return [here / name for here, names in listing.tree(folder).folders for name in names] if folder.is_dir() else []


def _changed(path: pathlib.Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _place(root: pathlib.Path, path: pathlib.Path) -> str:
    return nfc(path.relative_to(root).as_posix())


def _content(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(pairs: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(sorted(pairs)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
