"""Cityscapes: 2975 / 500 finely labeled frames of 2048x1024, 19 classes, each the 20th of a 30-frame snippet.

Cordts et al.: The Cityscapes dataset for semantic urban scene understanding, CVPR 2016. Files as downloaded:
`<city>_<sequence>_<frame>_<kind>`; the first three parts name a sample.
"""

from __future__ import annotations

import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.raw_files import listing, raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.text_files import read_json
from sde_seg_jax.types import IGNORE, Intrinsics

LAYOUT = (
    "leftImg8bit/{train,val}/<city>/*_leftImg8bit.png, gtFine/{train,val}/<city>/*_gtFine_labelIds.png and, for "
    "depth, leftImg8bit_sequence/{train,val}/<city>/*_leftImg8bit.png (see docs/data.md)"
)
IMAGES, SEQUENCES, LABELS, CAMERAS = "leftImg8bit", "leftImg8bit_sequence", "gtFine", "camera"
ENDING = {IMAGES: "_leftImg8bit.png", SEQUENCES: "_leftImg8bit.png", LABELS: "_gtFine_labelIds.png"}
ENDING[CAMERAS] = "_camera.json"
VIDEO = "video"  # split of all frames that have both neighbors
VIDEO_FOLDER = "train"
NO_SEQUENCES = "depth from video needs the package leftImg8bit_sequence_trainvaltest.zip beside leftImg8bit"

# The common values, at the size of the raw images; a camera file, where there is one, replaces them.
INTRINSICS = Intrinsics(fx=2262.52, fy=2265.3017905988554, cx=1096.98, cy=513.137)
INTRINSICS_SIZE = (1024, 2048)

EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)  # raw ids of the 19 classes
RAW_IDS = 34  # 0..33; the published system passes others through, here unknown (Q34 in docs/record/differences.md)
TRAIN_IDS = np.full(RAW_IDS, IGNORE, np.uint8)
TRAIN_IDS[list(EVALUATED)] = range(CITYSCAPES.num_classes)

FRAME = re.compile(r"(?P<sequence>.+_\d+)_(?P<number>\d+)")  # aachen_000000_000019

# paths of image, label (or None), neighbors, camera file (or None)
Item = tuple[str, str | None, tuple[str, ...], str | None]


def items(split: str, raw_dir: pathlib.Path, *, problems: raw.Problems, sequence_step: int) -> Sequence[Item]:
    """Lists the labeled frames of a split; "video": every `sequence_step`-th frame of the train sequences.

    Order: by name, which is also the order of the paths.
    """
    if split == VIDEO:
        return _video_items(raw_dir, sequence_step, problems)
    images = _files(raw_dir, IMAGES, split)
    labels = _files(raw_dir, LABELS, split, remedy="download the package gtFine_trainvaltest.zip")
    remedy = "unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip again"
    names = raw.check_pairs(images, labels, remedy, problems)
    frames = _sequences(raw_dir, split, names, problems)
    cameras = _Cameras(raw_dir, split)
    found = []
    for name in names:
        neighbors = _neighbors(frames, name)
        if frames and not neighbors:
            problems.report(
                f"'{raw_dir / SEQUENCES / split}' lacks a frame beside {name!r} (-1 or +1); unpack the package "
                f"leftImg8bit_sequence_trainvaltest.zip again, or take that folder away to prepare without neighbors"
            )
            continue
        found.append((str(images[name]), str(labels[name]), neighbors, cameras.of(name)))
    return found


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one frame; ids without a training id become IGNORE."""
    image_path, label_path, neighbor_paths, camera_path = item
    image = raw.read_image(pathlib.Path(image_path))
    intrinsics = INTRINSICS if camera_path is None else read_camera(pathlib.Path(camera_path))
    intrinsics = camera.resize(intrinsics, INTRINSICS_SIZE, image.shape[:2])
    example = {
        "image": image,
        "label": None,
        "intrinsics": (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy),
        "name": pathlib.Path(image_path).name.removesuffix(ENDING[IMAGES]),
        "files": {"image": image_path, "label": label_path, "neighbors": neighbor_paths},
    }
    if label_path is not None:
        path = pathlib.Path(label_path)
        example["label"] = raw.train_ids(raw.read_label(path), TRAIN_IDS, path)
    if neighbor_paths:
        example["neighbors"] = [raw.read_image(pathlib.Path(path)) for path in neighbor_paths]
    return example


def read_camera(path: pathlib.Path) -> Intrinsics:
    """The intrinsics of a `*_camera.json`, in pixels of the 2048x1024 image.

    Raises:
      ValueError: the file is no such JSON, or its focal lengths are not positive.
    """
    try:
        entry = read_json(path)["intrinsic"]
        found = Intrinsics(*(float(entry[key]) for key in ("fx", "fy", "u0", "v0")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"cannot read camera '{path}' ({type(error).__name__}: {error}); expected JSON with intrinsic: fx, fy, u0, "
            f"v0; replace the file, or take the folder '{CAMERAS}' away to use the published camera"
        ) from error
    values = (found.fx, found.fy, found.cx, found.cy)
    if not (all(map(math.isfinite, values)) and found.fx > 0 and found.fy > 0):
        raise ValueError(
            f"camera '{path}' has focal lengths {found.fx}, {found.fy}; expected positive pixels, and a finite centre, "
            f"not {found.cx}, {found.cy}; replace the file"
        )
    return found


def _sequences(
    raw_dir: pathlib.Path, split: str, names: Sequence[str], problems: raw.Problems
) -> dict[str, pathlib.Path]:
    """The frames of the snippets of a split; none where some labeled frames have no snippet, which is noted.

    All samples of a split have neighbors, or none; a part of the snippets is enough for the split "video".
    """
    if not (raw_dir / SEQUENCES).is_dir():
        return {}
    frames = _files(raw_dir, SEQUENCES, split) if (raw_dir / SEQUENCES / split).is_dir() else {}
    there = {_place(name)[0] for name in frames}
    alone = [name for name in names if _place(name)[0] not in there]
    if not alone:
        return frames
    problems.note(
        f"{len(alone)} of {len(names)} labeled frames of {split!r} have no sequence in '{raw_dir / SEQUENCES}': the "
        "split is without neighbors; tasks that need labels and neighbors read data.train_split=video"
    )
    return {}


def _video_items(raw_dir: pathlib.Path, sequence_step: int, problems: raw.Problems) -> list[Item]:
    if sequence_step < 1:
        raise ValueError(f"sequence_step is {sequence_step}; expected 1 (every frame) or more")
    remedy = f"{NO_SEQUENCES}; without it prepare splits=('train', 'val') only"
    frames = _files(raw_dir, SEQUENCES, VIDEO_FOLDER, remedy=remedy)
    labels = _files(raw_dir, LABELS, VIDEO_FOLDER) if (raw_dir / LABELS / VIDEO_FOLDER).is_dir() else {}
    cameras = _Cameras(raw_dir, VIDEO_FOLDER)
    found = []
    for name, image in sorted(frames.items()):
        neighbors = _neighbors(frames, name)
        if neighbors:
            found.append((str(image), str(labels[name]) if name in labels else None, neighbors, cameras.of(name)))
    if not found:
        raise ValueError(f"no frame in '{raw_dir / SEQUENCES / VIDEO_FOLDER}' has both neighbors; unpack it again")
    labeled = sum(label is not None for _, label, _, _ in found)
    if labeled < len(labels):
        problems.note(
            f"{len(labels) - labeled} of {len(labels)} labeled frames are left out of {VIDEO!r}: they have no "
            f"neighbors in '{raw_dir / SEQUENCES / VIDEO_FOLDER}'"
        )
    return found[::sequence_step]


class _Cameras:
    """Camera files by frame. Only labeled frames have one; the others of a snippet take the nearest."""

    def __init__(self, raw_dir: pathlib.Path, split: str):
        files = _files(raw_dir, CAMERAS, split) if (raw_dir / CAMERAS / split).is_dir() else {}
        self._by_sequence: dict[str, dict[int, str]] = {}
        for name, path in files.items():
            sequence, number = _place(name)
            self._by_sequence.setdefault(sequence, {})[number] = str(path)

    def of(self, name: str) -> str | None:
        """The file of frame `name`, or of the frame of its sequence nearest to it, if there is any."""
        sequence, number = _place(name)
        near = self._by_sequence.get(sequence)
        return near[min(near, key=lambda other: abs(other - number))] if near else None


def _files(raw_dir: pathlib.Path, package: str, split: str, remedy: str = "") -> dict[str, pathlib.Path]:
    """Sample name -> file of one package and split."""
    folder = raw.subfolder(raw_dir, f"{package}/{split}", "cityscapes", LAYOUT, remedy)
    found = {path.name.removesuffix(ENDING[package]): path for path in listing.glob(folder, f"*/*{ENDING[package]}")}
    if not found:
        raise ValueError(f"'{folder}' has no files '<city>/*{ENDING[package]}'; expected {LAYOUT}")
    return found


def _neighbors(frames: Mapping[str, pathlib.Path], name: str) -> tuple[str, ...]:
    """Files of the frames before and after, or () unless both are there."""
    sequence, number = _place(name)
    digits = len(name) - len(sequence) - 1
    near = [frames.get(f"{sequence}_{number + offset:0{digits}d}") for offset in (-1, 1)]
    return tuple(map(str, near)) if all(near) else ()


def _place(name: str) -> tuple[str, int]:
    match = FRAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not named <city>_<sequence>_<frame>, as Cityscapes' frames are; rename the file")
    return match["sequence"], int(match["number"])


SPEC = DatasetSpec(
    name="cityscapes",
    version="1.0.0",
    space=CITYSCAPES,
    splits=("train", "val", VIDEO),
    items=items,
    load=load,
    fields=("neighbors", "label"),
    options={"sequence_step": 1},
    layout=LAYOUT,
    remedies={"neighbors": f"{NO_SEQUENCES}; unpack it and prepare again, into another prepared_dir"},
)
