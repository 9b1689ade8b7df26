"""Made cvat_masks.zip, cvat_images.zip and cvat_labels.json with datumaro, the library that CVAT exports with.

datumaro 1.13.12, NumPy 2.4.6, Python 3.11, in an environment of its own, as datumaro's requirements contradict ours:

    pip install datumaro==1.13.12
    python make_cvat.py files                 # writes the files beside this script
    python make_cvat.py export FOLDER         # with this project's Python: what `cvat.write` writes
    python make_cvat.py check FOLDER          # with datumaro again: does it find the same masks?

cvat_labels.json has the labels that are in the files, as datumaro merges and reads them: rows of digits, an index into
`names`, "." where nothing is labeled.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import zipfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
COLORS = {"background": (0, 0, 0), "road": (128, 64, 128), "traffic sign": (220, 220, 0), "car": (0, 0, 142)}
NAMES = ("road", "traffic sign", "car")
ROAD, SIGN, CAR = range(3)
ROWS = (  # of a frame that is labeled without overlap: two parts, a hole, a rim without label
    "........",
    ".1.....1",
    "00000000",
    "00222000",
    "00212000",
    "00222...",
)


def grid(rows) -> np.ndarray:
    """Indices int [H,W] of rows of digits; -1: not labeled."""
    return np.array([[-1 if c == "." else int(c) for c in row] for row in rows])


def rows(indices: np.ndarray) -> list[str]:
    """The rows of `grid`."""
    return ["".join("." if i < 0 else str(i) for i in row) for row in indices.tolist()]


def files() -> None:
    """Writes the fixtures."""
    import datumaro as dm

    def item(key, size, *shapes):
        media = dm.Image.from_numpy(np.zeros((*size, 3), np.uint8), ext=".png")
        return dm.DatasetItem(key, subset="default", media=media, annotations=list(shapes))

    def mask(label, indices, value, order=0):
        return dm.Mask(indices == value, label=label, z_order=order)

    def square(height, width, top, left, end, right):
        found = np.zeros((height, width), int)
        found[top:end, left:right] = 1
        return found

    plain = grid(ROWS)
    items = [
        item("front/frame1", plain.shape, *(mask(label, plain, label) for label in (ROAD, SIGN, CAR))),
        # overlaps: the higher z_order is in front, whatever the order in the file; of equals the later one
        item(
            "front/2024/frame.2",
            (7, 9),
            mask(CAR, square(7, 9, 2, 2, 5, 6), 1, order=2),
            dm.Polygon([0, 1, 9, 1, 9, 7, 0, 7], label=ROAD, z_order=0),
            dm.Polygon([1, 0, 4, 0, 4, 4, 1, 4], label=SIGN, z_order=1),
            mask(ROAD, square(7, 9, 4, 5, 6, 9), 1, order=2),
        ),
        item("rear/a!b/000012", (4, 5), mask(CAR, square(4, 5, 0, 0, 4, 5), 1)),
        item("front/unlabeled", (4, 5)),
    ]
    dataset = dm.Dataset.from_iterable(items, categories=list(NAMES), media_type=dm.Image)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        dataset.export(str(folder / "images"), "cvat", save_media=False, image_ext=".png")
        pack("cvat_images.zip", {"annotations.xml": next((folder / "images").rglob("*.xml"))})
        # as CVAT's "Segmentation mask 1.1"
        dataset.transform("polygons_to_masks")
        dataset.transform("merge_instance_segments")
        label_map = {name: [color, [], []] for name, color in COLORS.items()}
        target = folder / "masks"
        dataset.export(str(target), "voc_segmentation", save_media=False, apply_colormap=True, label_map=label_map)
        found = [file for file in target.rglob("*") if file.is_file() and file.suffix != ".json"]
        pack("cvat_masks.zip", {file.relative_to(target).as_posix(): file for file in sorted(found)})
        labels = {"names": NAMES, "labels": {}}
        for entry, names in read_back(dm, target, "voc_segmentation"):
            if entry.annotations:
                labels["labels"][entry.id] = rows(merged(entry, names))
    (HERE / "cvat_labels.json").write_text(json.dumps(labels, indent=1) + "\n")


def read_back(dm, folder: pathlib.Path, form: str):
    """Yields each item with the names of the classes."""
    dataset = dm.Dataset.import_from(str(folder), form)
    names = [label.name for label in dataset.categories()[dm.AnnotationType.label]]
    for entry in dataset:
        yield entry, names


def merged(entry, names) -> np.ndarray:
    """Indices into NAMES of the masks of an item, drawn by z_order; datumaro's label is an index into `names`."""
    masks = sorted(entry.annotations, key=lambda shape: shape.z_order)
    indices = np.full(masks[0].image.shape, -1)
    for shape in masks:
        indices[shape.image.astype(bool)] = NAMES.index(names[shape.label])
    return indices


def pack(name: str, members: dict[str, pathlib.Path]) -> None:
    """Zips files, always to the same bytes."""
    with zipfile.ZipFile(HERE / name, "w") as archive:
        for inner, file in members.items():
            entry = zipfile.ZipInfo(inner)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


def export(folder: pathlib.Path) -> None:
    """Writes the labels of cvat_labels.json as suggestions."""
    from sde_seg_jax.data.annotation import cvat
    from sde_seg_jax.data.annotation.frames import Frame
    from sde_seg_jax.label_spaces import LabelSpace
    from sde_seg_jax.types import IGNORE

    known = json.loads((HERE / "cvat_labels.json").read_text())
    space = LabelSpace("folder", tuple(known["names"]), tuple(COLORS[name] for name in known["names"]))
    ids = {key: np.where(grid(text) < 0, IGNORE, grid(text)).astype(np.uint8) for key, text in known["labels"].items()}
    frames = [Frame(key, np.zeros((*label.shape, 3), np.uint8), label) for key, label in ids.items()]
    cvat.write(folder, frames, space, "make_cvat")


def check(folder: pathlib.Path) -> None:
    """Reads what `export` wrote with datumaro."""
    import datumaro as dm

    known = json.loads((HERE / "cvat_labels.json").read_text())
    with tempfile.TemporaryDirectory() as target:
        with zipfile.ZipFile(folder / "annotations.zip") as archive:
            archive.extract("annotations.xml", target)
        with zipfile.ZipFile(folder / "images.zip") as archive:
            archive.extractall(f"{target}/images")
        found = {entry.id: rows(merged(entry, names)) for entry, names in read_back(dm, target, "cvat")}
    if found != known["labels"]:
        sys.exit(f"datumaro finds {found}")
    print(f"datumaro finds the same masks in {len(found)} frames: {sorted(found)}")


if __name__ == "__main__":
    {"files": files, "export": export, "check": check}[sys.argv[1]](*map(pathlib.Path, sys.argv[2:]))
