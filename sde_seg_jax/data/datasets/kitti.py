"""KITTI raw: rectified colour stereo video of 1242x375 at 10 Hz with laser scans, for depth from video. No labels.

Geiger, Lenz, Stiller, Urtasun: Vision meets robotics: the KITTI dataset, IJRR 32(11), 2013. Test drives: Eigen,
Puhrsch, Fergus: Depth map prediction from a single image using a multi-scale deep network, NIPS 2014.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sde_seg_jax.data.raw_files import kitti_calibration, lidar, raw
from sde_seg_jax.data.raw_files.kitti_files import CAMERAS, SCANS, Files, Place, day_and_number, drives, read_list
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.geometry.camera import resize
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import Intrinsics

LAYOUT = (
    "<date>/calib_cam_to_cam.txt, <date>/calib_velo_to_cam.txt, <date>/<date>_drive_NNNN_sync/image_0{2,3}/data/*.png "
    "(or .jpg) and velodyne_points/data/*.bin (see docs/data.md)"
)
VIDEO, VAL, TEST = "video", "val", "test"
TEST_DRIVES = {  # of Eigen et al.: 28
    "2011_09_26": (2, 9, 13, 20, 23, 27, 29, 36, 46, 48, 52, 56, 59, 64, 84, 86, 93, 96, 101, 106, 117),
    "2011_09_28": (2,),
    "2011_09_29": (71,),
    "2011_09_30": (16, 18, 27),
    "2011_10_03": (27, 47),
}
VAL_EVERY = 10  # drives of such numbers (60, 70, ...) are held out, whatever else is there
WHICH = {  # in error messages
    VIDEO: f"drive outside the 28 test drives and numbered by no multiple of {VAL_EVERY}",
    VAL: f"drive outside the 28 test drives and numbered by a multiple of {VAL_EVERY}",
    TEST: "one of the 28 test drives of Eigen et al. (listed in docs/data.md)",
}
ASPECT_ERROR = 0.03  # of width/height against the calibrated size: 832x256 and 640x192 pass, a crop does not


class Item(NamedTuple):
    """One frame: paths, and its camera in numbers."""

    name: str
    image: str
    neighbors: tuple[str, ...]  # of video
    scan: str | None  # of val and test
    intrinsics: tuple[float, ...]  # fx, fy, cx, cy at `size`
    size: Size
    camera_from_scanner: tuple[tuple[float, ...], ...]  # 3 rows of 4; () without scan


def items(
    split: str,
    raw_dir: pathlib.Path,
    *,
    problems: raw.Problems,
    cameras: Sequence[str],
    sequence_step: int,
    test_step: int,
    train_list: str,
    val_list: str,
    test_list: str,
) -> Sequence[Item]:
    """Lists a split: the frames that its list names, in its order; without a list those of its drives, by name.

    "video": frames of the `cameras` with both neighbors, every `sequence_step`-th of a drive and camera. "val", "test":
    left frames with a laser scan, every `test_step`-th of a drive: not the official 697, which only a list can name.
    """
    scan = split != VIDEO
    listed = {VIDEO: train_list, VAL: val_list, TEST: test_list}[split]
    if split == VAL and train_list and not val_list:
        raise ValueError("'kitti' has a train_list but no val_list: training may hold val's drives; set val_list too")
    files = Files()
    if listed:
        places = _listed_places(listed, raw_dir, files, scan, problems)
    elif scan:
        places = _places(split, raw_dir, files, CAMERAS[:1], _positive("test_step", test_step), problems)
    else:
        places = _places(split, raw_dir, files, _known(cameras), _positive("sequence_step", sequence_step), problems)
    if not places:
        what = "a laser scan" if scan else "both neighbors"
        where = f"'{listed}'" if listed else f"the drives of split {split!r} in '{raw_dir}'"
        raise ValueError(
            f"no frame of {where} has an image and {what}; download the drives again, unpacked as {LAYOUT}"
        )
    view = functools.cache(_view)
    return [_item(place, files, view(place.drive.parent, place.camera, scan), scan) for place in places]


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one frame; the depth of a pixel is that of the nearest point of the scan in it."""
    image = raw.read_image(pathlib.Path(item.image))
    shape = image.shape[:2]
    _check_shape(item, shape)
    camera = resize(Intrinsics(*item.intrinsics), item.size, shape)
    example = {
        "image": image,
        "intrinsics": (camera.fx, camera.fy, camera.cx, camera.cy),
        "name": item.name,
        "files": {"image": item.image, "neighbors": item.neighbors, "depth": item.scan},
    }
    if item.neighbors:
        example["neighbors"] = [raw.read_image(pathlib.Path(path)) for path in item.neighbors]
    if item.scan:
        points = lidar.read_points(pathlib.Path(item.scan))
        example["depth"] = lidar.depth_map(points, np.array(item.camera_from_scanner), camera, shape)
    return example


def _listed_places(
    path: str, raw_dir: pathlib.Path, files: Files, scan: bool, problems: raw.Problems
) -> Sequence[Place]:
    found, told = [], set()
    for place in read_list(path, raw_dir, problems):
        lack = files.lack(place, scan)
        if not lack:
            found.append(place)
        elif lack not in told:  # a missing drive once, not for each of its frames
            told.add(lack)
            problems.report(f"{lack}, or take {place.name} out of '{path}', which names it")
    return found


def _places(
    split: str, raw_dir: pathlib.Path, files: Files, cameras: Sequence[str], step: int, problems: raw.Problems
) -> Sequence[Place]:
    mine = [drive for drive in drives(raw_dir, LAYOUT) if split_of(drive) == split]
    if not mine:
        raise ValueError(f"'{raw_dir}' has no drive of split {split!r}, which are {WHICH[split]}; download one")
    found = []
    for drive in mine:
        for sensor in (*cameras, SCANS) if split != VIDEO else cameras:
            if not files.of(drive, sensor):
                other = f"{sensor!r} out of the option cameras" if split == VIDEO else f"out split {split!r}"
                problems.report(
                    f"'{drive / sensor / 'data'}' has no frames; download the drive again, or leave {other}"
                )
        for camera in cameras:
            places = (Place(drive, camera, number) for number in sorted(files.of(drive, camera)))
            found += [place for place in places if not files.lack(place, split != VIDEO)][::step]
    return found


def split_of(drive: pathlib.Path) -> str:
    """The split that a drive belongs to; it depends on nothing but the drive's name."""
    day, number = day_and_number(drive)
    if number in TEST_DRIVES.get(day, ()):
        return TEST
    return VIDEO if number % VAL_EVERY else VAL


def _view(day: pathlib.Path, camera: str, scan: bool) -> tuple:
    """What all frames of a day's camera share: the last three entries of an Item."""
    found = kitti_calibration.read_camera(day, camera.removeprefix("image_"))
    pose = kitti_calibration.camera_from_scanner(found, day).tolist() if scan else ()
    i = found.intrinsics
    return (i.fx, i.fy, i.cx, i.cy), found.size, tuple(map(tuple, pose))


def _item(place: Place, files: Files, view: tuple, scan: bool) -> Item:
    image = str(files.of(place.drive, place.camera)[place.number])
    if scan:
        return Item(place.name, image, (), str(files.of(place.drive, SCANS)[place.number]), *view)
    return Item(place.name, image, tuple(map(str, files.neighbors(place))), None, *view)


def _check_shape(item: Item, shape: Size) -> None:
    """The image may be smaller than the calibrated one, but a cropped one has another camera."""
    (height, width), (wanted_height, wanted_width) = shape, item.size
    if abs(width * wanted_height / (height * wanted_width) - 1) > ASPECT_ERROR:
        raise ValueError(
            f"image '{item.image}' is {height}x{width} but its day's calibration is for {wanted_height}x{wanted_width} "
            f"(h x w); resize the original instead of cropping it"
        )


def _known(cameras: Sequence[str]) -> tuple[str, ...]:
    if isinstance(cameras, str) or not cameras or not set(cameras) <= set(CAMERAS):
        raise ValueError(f"'kitti' has no cameras {cameras!r}; choose one or both of {CAMERAS}")
    return tuple(sorted(set(cameras)))


def _positive(option: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{option} is {value}; expected 1 (every frame) or more")
    return value


SPEC = DatasetSpec(
    name="kitti",
    version="1.0.0",
    space=CITYSCAPES,  # nothing is labeled; a network that predicts classes has those of street scenes
    splits=(VIDEO, VAL, TEST),
    items=items,
    load=load,
    fields=("neighbors", "depth"),  # video has neighbors, val and test have depth
    options={
        "cameras": CAMERAS,
        "sequence_step": 1,
        "test_step": 10,
        "train_list": "",
        "val_list": "",
        "test_list": "",
    },
    layout=LAYOUT,
    remedies={
        "label": "KITTI raw has no labels: it serves depth",
        "neighbors": "only split 'video' has them",
        "depth": "only splits 'val' and 'test' have it, from laser scans",
    },
)
