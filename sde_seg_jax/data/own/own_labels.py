"""A label of a person's own frames, wherever it lies: a PNG, or part of an export of a labelling tool."""

from __future__ import annotations

import contextlib
import difflib
import json

import numpy as np

from sde_seg_jax.data.annotation import palette, tools
from sde_seg_jax.data.annotation.frames import OtherSize
from sde_seg_jax.data.spec import Size
from sde_seg_jax.text_files import nfc
from sde_seg_jax.types import IGNORE

NOBODY = "background"  # how tools call pixels that nobody labeled


def read_label(label: str, classes: palette.Classes, size: Size | None = None) -> np.ndarray:
    """Training ids uint8 [h, w] of the picture at a path (`palette.read_label`), or of a reference of `tools`.

    The classes of a tool go by their names. What nobody labeled there is IGNORE, unless a class is called "background".

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: the label can not be read, or a pixel of it has a class that `classes` lacks.
    """
    if not tools.is_reference(label):
        return palette.read_label(label, classes, size)
    found = tools.read(label, size)
    named = [nfc(name) for name in found.names]
    known = {NOBODY: IGNORE, **classes.names}
    used = {named[index] for index in np.unique(found.indices).tolist() if index >= 0}
    for name in sorted(used - known.keys()):
        near = difflib.get_close_matches(name, classes.names, n=1)
        hint = f" (near: {near[0]!r})" if near else ""
        raise ValueError(
            f"label '{label}' has the class {name!r}, which '{classes.path}' lacks{hint}; add it there (with "
            f'"ignore": true to leave it out), or rename it in the tool'
        )
    # from the end: BACKGROUND is -1, IGNORED -2
    table = [*(known.get(name, IGNORE) for name in named), IGNORE, known[NOBODY]]
    return np.array(table, np.uint8)[found.indices]


def check_kind(label: str, size: Size | None = None) -> None:
    """Raises a ValueError unless the label is of some kind that `read_label` reads.

    One that is not of the `size` (height, width) of its frame is let pass: `label_sizes` tells that.
    """
    with contextlib.suppress(OtherSize):
        tools.read(label, size) if tools.is_reference(label) else palette.read_raw(label, size)


def example(label: str) -> str:
    """A `classes.json` in one line that fits the label."""
    if not tools.is_reference(label):
        return palette.example(label)
    return json.dumps([{"name": name} for name in tools.read(label).names if name != NOBODY])
