"""Which frame a task of Label Studio shows."""

from __future__ import annotations

import pathlib
import re
import urllib.parse
from typing import Any

from sde_seg_jax.data.raw_files.raw import IMAGES

KEY, IMAGE, FOLDER = "key", "image", "images/"  # in the data of a task, and where `write` puts the images
BACKSLASH = re.compile(r"\\|%5C", re.IGNORECASE)
LOCAL = "/data/local-files/?d="  # files that Label Studio serves from a folder
UPLOAD = re.compile(
    r"(?:.*/)?data/upload/(?:\d+/)?(?:[0-9a-f]{8}-)?"
)  # files that were uploaded: project, random prefix


def address(path: str) -> str:
    """The address under which Label Studio serves a file of its local storage, a path below the document root."""
    return LOCAL + urllib.parse.quote(path)


def key_of(data: dict[str, Any]) -> str:
    """The key of the frame in the data of a task: "key", which `write` gave it, else the path of the image.

    Raises:
      ValueError: the task shows no image.
    """
    if isinstance(data.get(KEY), str) and data[KEY]:
        return data[KEY].replace("\\", "/")
    texts = [data.get(IMAGE), *data.values()]
    found = next((path for path in map(_path, texts) if path.suffix.lower() in IMAGES), None)
    if found is None:
        raise ValueError(f"it shows no image; give its data an {IMAGE!r}, or {KEY!r}, the path of the frame")
    return found.with_suffix("").as_posix()


def _path(text: Any) -> pathlib.PurePosixPath:
    """The path of an image within what Label Studio calls it, an address or a path, of Windows, too."""
    if not isinstance(text, str):
        return pathlib.PurePosixPath()
    text = BACKSLASH.sub("/", text)
    if LOCAL in text:
        local = text.partition(LOCAL)[2].partition("&")[0]
    else:
        local = UPLOAD.sub("", urllib.parse.urlsplit(text).path.lstrip("/"), count=1)
    return pathlib.PurePosixPath(urllib.parse.unquote(local).lstrip("/").removeprefix(FOLDER))
