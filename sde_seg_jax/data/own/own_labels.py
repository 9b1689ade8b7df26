"""A label of a person's own frames, wherever it lies: a PNG, or part of an export of a labelling tool."""

from __future__ import annotations

import difflib
import json

import numpy as np

from sde_seg_jax.data.annotation import palette, tools
from sde_seg_jax.data.raw_files import listing
from sde_seg_jax.types import IGNORE

NEAR = 24  # of 255, in every channel: what JPEG makes of a color away from edges
NOBODY = "background"  # how tools call pixels that nobody labeled


def read_label(label: str, classes: palette.Classes) -> np.ndarray:
    """Training ids uint8 [h, w] of the picture at a path (`palette.read_label`), or of a reference of `tools`.

    The classes of a tool go by their names. What nobody labeled there is IGNORE, unless a class is called "background".

    Raises:
      ValueError: the label can not be read, or a pixel of it has a class that `classes` lacks.
    """
    if not tools.is_reference(label):
        read = _read_smeared if listing.suffix(label) in listing.SMEARED else palette.read_label
        return read(label, classes)
    found = tools.read(label)
    known = {NOBODY: IGNORE, **classes.names}
    used = {found.names[index] for index in np.unique(found.indices).tolist() if index >= 0}
    for name in sorted(used - known.keys()):
        near = difflib.get_close_matches(name, classes.names, n=1)
        hint = f" (near: {near[0]!r})" if near else ""
        raise ValueError(
            f"label '{label}' has the class {name!r}, which '{classes.path}' lacks{hint}; add it there (with "
            f'"ignore": true to leave it out), or rename it in the tool'
        )
    # from the end: BACKGROUND is -1, IGNORED -2
    table = [*(known.get(name, IGNORE) for name in found.names), IGNORE, known[NOBODY]]
    return np.array(table, np.uint8)[found.indices]


def _read_smeared(label: str, classes: palette.Classes) -> np.ndarray:
    """The label of a JPEG file: of colors the class of the nearest one, IGNORE where none is near."""
    found = palette.read_raw(label)
    if found.ndim == 2 or not classes.colors:
        return palette.read_label(label, classes)
    ids, best = np.full(found.shape[:2], IGNORE, np.uint8), np.full(found.shape[:2], NEAR + 1)
    for color, train_id in classes.colors.items():
        far = np.abs(found.astype(np.int16) - np.array(color, np.int16)).max(axis=-1)
        ids[far < best], best = train_id, np.minimum(best, far)
    return ids


def check_kind(label: str) -> None:
    """Raises a ValueError unless the label is of some kind that `read_label` reads."""
    tools.read(label) if tools.is_reference(label) else palette.read_raw(label)


def example(label: str) -> str:
    """A `classes.json` in one line that fits the label."""
    if not tools.is_reference(label):
        return palette.example(label)
    return json.dumps([{"name": name} for name in tools.read(label).names if name != NOBODY])
