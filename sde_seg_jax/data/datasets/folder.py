"""A person's own images and videos, with labels for some, all or none of the frames; see docs/data.md.

Every folder with images and every video file below the raw folder is a clip; `labels/` mirrors the tree;
`classes.json` names the classes; `camera.json` beside a clip or above it says which camera took it.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from sde_seg_jax.data.annotation import palette
from sde_seg_jax.data.own import clips, label_files, label_sizes, own_labels
from sde_seg_jax.data.own.camera_files import Cameras
from sde_seg_jax.data.own.clip_labels import keys
from sde_seg_jax.data.own.held_out import counted, hold_out, in_split, in_video
from sde_seg_jax.data.own.own_files import open_folder
from sde_seg_jax.data.own.raw_state import raw_state
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.label_spaces import LabelSpace

LAYOUT = (
    "images in folders (one clip each) or video files, and optionally labels/ with PNGs of the same paths or exports "
    "of CVAT or Label Studio, classes.json and camera.json (see docs/data.md)"
)
CLASSES = "classes.json"
VIDEO = "video"  # split of the frames that have both neighbors
HELD_OUT_VIDEO = "val_video"  # of those that do not train, nor do their neighbors
EMPTY = {  # remedies
    "train": "hold out less: dataset.val_clips, dataset.val_fraction",
    "val": "add frames, or name clips of validation in dataset.val_clips",
    VIDEO: "no three frames follow each other: add video, lower dataset.min_motion or raise dataset.max_step; "
    "without depth, data.video_split=train does",
    HELD_OUT_VIDEO: "no three held-out frames follow each other: raise dataset.val_fraction, or name a clip in "
    "dataset.val_clips",
}
NO_CLASSES = LabelSpace("folder", (), ())


@dataclasses.dataclass(frozen=True)
class Item:
    """One sample: where its frames and label are, and all that is known already."""

    name: str
    key: str  # its path below the raw folder without suffix, of a video "<video>/000012": labels are found by it
    image: clips.Frame
    neighbors: tuple[clips.Frame, ...]
    label: str | None  # path of a PNG, or reference of annotation.tools
    classes: str | None  # path of classes.json; None: nothing is labeled
    intrinsics: tuple[float, float, float, float]


def items(
    split: str,
    raw_dir: pathlib.Path,
    *,
    problems: raw.Problems,
    val_clips: Sequence[str],
    val_fraction: float,
    min_motion: float,
    max_step: int,
    frame_step: int,
    intrinsics: Sequence[float] | None,
    field_of_view: float | None,
) -> Sequence[Item]:
    """Lists the frames of a split, clip after clip.

    "train": the frames that are kept and all labeled ones; "val": held-out labeled frames (without any labels: held-out
    frames); "video": the kept frames of train whose neighbors are kept, too, and near enough; "val_video": likewise, of
    those that are held out. Options:

      val_clips: names of the clips that are held out; () holds out a part of each.
      val_fraction: how much is held out, as a block of each clip.
      min_motion: percent of the image width that the picture must move between kept frames; 0 keeps all.
      max_step: neighbors are at most so many frames away, 0: any number.
      frame_step: only every n-th frame is looked at.
      intrinsics: (fx, fy, cx, cy, width, height) in pixels, of clips without camera.json.
      field_of_view: degrees across the width, instead.
    """
    _check_options(min_motion, max_step, frame_step)
    cameras = Cameras(raw_dir, intrinsics, field_of_view)
    opened, labels = open_folder(raw_dir, frame_step, float(min_motion), problems)
    classes = str(raw_dir / CLASSES) if read_space(raw_dir).num_classes else None
    part = hold_out(opened, labels, tuple(val_clips), val_fraction)
    found, names = [], set()
    for clip in opened:
        here, names_here = labels.get(clip.name, {}), keys(raw_dir, clip)
        camera = cameras.of(clip.path).at(clip.size, _path(clip.frames[0]))
        if split in (VIDEO, HELD_OUT_VIDEO):
            chosen = in_video(clip, part, max_step, trains=split == VIDEO)
        else:
            chosen = in_split(split, clip, here, part)
        for index, near in chosen:
            name = _unique(clips.safe_name(f"{clip.name}/{clip.names[index]}"), names)
            neighbors = tuple(clip.frames[other] for other in near)
            found.append(Item(name, names_here[index], clip.frames[index], neighbors, here.get(index), classes, camera))
    if split != HELD_OUT_VIDEO:
        problems.counts.append(counted(split, opened, labels, part, len(found)))
    if not found:
        raise ValueError(f"split {split!r} of '{raw_dir}' is empty; {EMPTY[split]}")
    return found


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one frame with its neighbors and its label, if it has one."""
    image = clips.read(item.image)
    example = {
        "image": image,
        "intrinsics": item.intrinsics,
        "name": item.name,
        "files": {"image": _path(item.image), "label": item.label},
    }
    if item.neighbors:
        example["neighbors"] = [clips.read(frame) for frame in item.neighbors]
    if item.classes is not None:
        example["label"] = (
            None
            if item.label is None
            else label_sizes.read_label(
                item.label,
                _classes(item.classes, os.stat(item.classes).st_mtime_ns),
                _path(item.image),
                image.shape[:2],
            )
        )
    return example


def read_space(raw_dir: pathlib.Path, **options: Any) -> LabelSpace:
    """The classes of `classes.json`; none where there are no labels.

    Raises:
      ValueError: there are labels but no `classes.json` (showing one that fits), or it has another form.
    """
    del options
    raw_dir = pathlib.Path(raw_dir)
    labels = label_files.look(raw_dir).labels
    path = raw_dir / CLASSES
    if not labels:
        return NO_CLASSES
    if not path.is_file():
        first = next(iter(labels.values()))
        raise ValueError(
            f"'{raw_dir}' has labels but no {CLASSES}; write one with your own names (\"ignore\": true leaves "
            f"one out), for the values in '{first}': {own_labels.example(first)}"
        )
    return palette.read_classes(str(path)).space


@functools.lru_cache(maxsize=1)
def _classes(path: str, changed: int) -> palette.Classes:
    del changed  # of the file: when it does, it is read again
    return palette.read_classes(path)


def _check_options(min_motion: float, max_step: int, frame_step: int) -> None:
    if not 0 <= min_motion < 100:
        raise ValueError(
            f"dataset.min_motion is {min_motion}; expected percent of the image width, 0 to keep all frames"
        )
    if frame_step < 1 or max_step < 0:
        raise ValueError(f"dataset.frame_step is {frame_step}, max_step {max_step}; expected at least 1 and at least 0")


def _unique(name: str, names: set[str]) -> str:
    """The name, with a number where another became the same by being made safe."""
    found, number = name, 2
    while found in names:
        found, number = f"{name}_{number}", number + 1
    names.add(found)
    return found


def _path(frame: clips.Frame) -> str:
    return frame if isinstance(frame, str) else f"{frame.path}, frame {frame.index}"


SPEC = DatasetSpec(
    name="folder",
    version="1.0.0",
    space=None,
    splits=("train", "val", VIDEO),
    items=items,
    load=load,
    fields=("neighbors", "label"),
    options={
        "val_clips": (),
        "val_fraction": 0.1,
        "min_motion": 0.5,
        "max_step": 30,
        "frame_step": 1,
        "intrinsics": None,
        "field_of_view": None,
    },
    layout=LAYOUT,
    pixel_aspect=None,  # old video has pixels that are not square
    remedies={
        "neighbors": "the split 'video' has them: set data.video_split=video (for tasks that need labels, too: "
        "data.train_split=video)",
        "label": "write labels/ and classes.json into the raw folder and prepare again, into another prepared_dir",
    },
    read_space=read_space,
    held_out_video=HELD_OUT_VIDEO,
    raw_state=raw_state,
)
