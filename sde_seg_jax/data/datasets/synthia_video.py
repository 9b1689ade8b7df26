"""SYNTHIA video sequences: drives through a virtual city in many seasons, 1280x760, eight cameras; for depth.

Ros, Sellart, Materzynska, Vazquez, Lopez: The SYNTHIA Dataset, CVPR 2016. Folders as downloaded:
`SYNTHIA-SEQS-<drive>-<season>`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from sde_seg_jax.data.raw_files import colors, raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.geometry import camera
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.text_files import read_text
from sde_seg_jax.types import IGNORE, Intrinsics

LAYOUT = "SYNTHIA-SEQS-*/RGB/Stereo_Left/Omni_F/*.png, one folder a sequence (see docs/data.md)"
VIDEO = "video"
CALIBRATION = "CameraParams/intrinsics.txt"
REMEDY = f"replace the file, or take it away to use the published camera ('{CALIBRATION}')"

SIZE = (760, 1280)
FOCAL = (0.4162034, 0.7009741473684211)  # normalised by width and height, as published: 532.74 px both

# As published: the colors of Cityscapes, exactly, and void. SYNTHIA's own palette shares road with it.
COLORS = {(0, 0, 0): IGNORE} | {color: train_id for train_id, color in enumerate(CITYSCAPES.colors)}

# paths of image, label (or None) and neighbors; focal lengths (x, y) in pixels at SIZE; name
Item = tuple[str, str | None, tuple[str, str], tuple[float, float], str]


def items(
    split: str,
    raw_dir: pathlib.Path,
    *,
    problems: raw.Problems,
    cameras: Sequence[str],
    labels: bool,
    sequence_step: int,
) -> Sequence[Item]:
    """Lists every `sequence_step`-th frame that has both neighbors, of all sequences, by sequence, camera and number.

    Options:
      cameras: which of "Stereo_Left/Omni_F" and the like; F, B, L, R: front, back, left, right.
      labels: take labels from GT/COLOR.
      sequence_step: 1 takes every frame.
    """
    if sequence_step < 1:
        raise ValueError(f"sequence_step is {sequence_step}; expected 1 (every frame) or more")
    if isinstance(cameras, str):
        raise ValueError(f"option cameras={cameras!r} of 'synthia_video' is no list; write ({cameras!r},)")
    sequences = sorted(path for path in raw_dir.glob("SYNTHIA-SEQS-*") if path.is_dir())
    if not sequences:
        hint = f"; set raw_dir to '{raw_dir.parent}'" if raw_dir.name.startswith("SYNTHIA-SEQS-") else ""
        raise ValueError(f"'{raw_dir}' has no folders SYNTHIA-SEQS-*; expected {LAYOUT}{hint}")
    found = []
    for sequence in sequences:
        try:
            focal = read_focal(sequence / CALIBRATION)
        except ValueError as error:
            problems.report(str(error))
            continue
        for view in cameras:
            found += _view_items(sequence, view, labels, focal, problems)
    if not found:
        raise ValueError(f"no frame in '{raw_dir}' has both neighbors; unpack the sequences again")
    return found[::sequence_step]


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one frame; colors that are not Cityscapes' become IGNORE."""
    image_path, label_path, neighbor_paths, focal, name = item
    image = raw.read_image(pathlib.Path(image_path))
    height, width = SIZE
    full = Intrinsics(fx=focal[0], fy=focal[1], cx=(width - 1) / 2, cy=(height - 1) / 2)
    intrinsics = camera.resize(full, SIZE, image.shape[:2])
    example = {
        "image": image,
        "neighbors": [raw.read_image(pathlib.Path(path)) for path in neighbor_paths],
        "intrinsics": (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy),
        "name": name,
        "files": {"image": image_path, "label": label_path, "neighbors": neighbor_paths},
    }
    if label_path is not None:
        example["label"] = colors.read_train_ids(pathlib.Path(label_path), COLORS)
    return example


def read_focal(path: pathlib.Path) -> tuple[float, float]:
    """Focal lengths (x, y) in pixels at 1280x760: the first number of an intrinsics file; without a file, as published.

    Raises:
      ValueError: the file does not start with a number, or with one that no camera of this width has.
    """
    if not path.is_file():
        return FOCAL[0] * SIZE[1], FOCAL[1] * SIZE[0]
    try:
        focal = float(read_text(path).split()[0])
    except (OSError, ValueError, IndexError) as error:
        raise ValueError(
            f"cannot read camera '{path}' ({type(error).__name__}: {error}); it should start with the focal length; "
            f"{REMEDY}"
        ) from error
    if not SIZE[1] / 10 < focal < SIZE[1] * 10:
        raise ValueError(f"camera '{path}' starts with {focal}; expected a focal length in pixels (532.74); {REMEDY}")
    return focal, focal


def _view_items(
    sequence: pathlib.Path, view: str, labels: bool, focal: tuple[float, float], problems: raw.Problems
) -> list[Item]:
    """The frames of one camera in one sequence that have both neighbors."""
    remedy = f"unpack '{sequence.name}' again, or change the option cameras (config.dataset.cameras)"
    frames = _files(raw.subfolder(sequence, f"RGB/{view}", "synthia_video", LAYOUT, remedy))
    colored = {}
    if labels:
        remedy = f"unpack '{sequence.name}' again, or prepare without the option labels"
        colored = _files(raw.subfolder(sequence, f"GT/COLOR/{view}", "synthia_video", LAYOUT, remedy))
        kept = raw.check_pairs(frames, colored, remedy, problems)
    else:
        kept = sorted(frames)
    found = []
    for number in kept:
        near = [frames.get(f"{int(number) + offset:0{len(number)}d}") for offset in (-1, 1)]
        if all(near):
            name = f"{sequence.name}_{view.replace('/', '_')}_{number}"
            label = str(colored[number]) if labels else None
            found.append((str(frames[number]), label, (str(near[0]), str(near[1])), focal, name))
    return found


def _files(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    return {path.stem: path for path in folder.glob("*.png") if path.stem.isdecimal()}


SPEC = DatasetSpec(
    name="synthia_video",
    version="1.0.0",
    space=CITYSCAPES,
    splits=(VIDEO,),
    items=items,
    load=load,
    fields=("neighbors", "label"),
    options={"cameras": ("Stereo_Left/Omni_F",), "labels": False, "sequence_step": 1},
    layout=LAYOUT,
)
