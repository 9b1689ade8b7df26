"""Pictures among the frames of a clip that seem to be labels."""

from __future__ import annotations

import pathlib
import random
import re
from collections.abc import Container, Sequence

from sde_seg_jax.data.own.found import MIRROR
from sde_seg_jax.data.raw_files import likeness, listing, raw

SOME = 200  # pictures of a folder, after which it is enough
IMAGE = re.compile("[ _.-](leftImg8bit|image|img|rgb|frame|color)$", re.IGNORECASE)  # what else ends a frame's name


def without_labels(folder: pathlib.Path, files: Sequence[str], problems: raw.Problems) -> Sequence[str]:
    """The image files of a folder that are frames.

    Files that are called a label of a frame beside them (1_mask.png), or are called so and look like labels, are
    problems and no frames. Where others look like labels, that is a doubt, and they are taken as frames.
    """
    stems = {pathlib.Path(name).stem for name in files}
    frames = stems | {IMAGE.sub("", stem) for stem in stems}
    named = [name for name in files if _is_called(folder, name, frames)]
    if named:
        problems.report(
            f"'{folder}' has {len(named)} pictures that are called labels, the first is '{folder / named[0]}': put "
            f"them into {MIRROR}, under the names of the frames, or rename them if they are frames"
        )
    left = {*named}
    here = [name for name in files if name not in left]
    alike = _alike(folder, [name for name in here if listing.suffix(name) not in listing.SMEARED])
    if alike:
        problems.doubt(
            f"'{folder}' has {len(alike)} of {len(here)} pictures that look like labels (few values, flat areas), the "
            f"first is '{folder / alike[0]}': they are taken as frames; if they are labels, put them into {MIRROR}"
        )
    return here


def _is_called(folder: pathlib.Path, name: str, frames: Container[str]) -> bool:
    frame = listing.frame_of_label(pathlib.Path(name).stem)
    return frame is not None and (frame in frames or likeness.looks_labeled(folder / name))


def _alike(folder: pathlib.Path, files: Sequence[str]) -> list[str]:
    """The files that look like labels; of very many, if some do."""
    some = random.Random(0).sample(files, SOME) if len(files) > SOME else files
    found = [name for name in some if likeness.looks_labeled(folder / name)]
    return [name for name in files if likeness.looks_labeled(folder / name)] if found and some is not files else found
