"""Labels in `labels/` of a folder of one's own, as PNGs and as labelling tools export them."""

import io
import json
import urllib.parse
import zipfile

import numpy as np
import tree_folder
from PIL import Image
from tree_folder import SHAPE, save

from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.types import IGNORE

COLORS = {"background": (0, 0, 0), "car": (0, 0, 142), "road": (128, 64, 128), "void": (9, 9, 9)}  # as CVAT has them
ROWS = np.arange(SHAPE[0])[:, None] + np.zeros(SHAPE, int)
PAINTED = np.select([ROWS < 6, ROWS < 12, ROWS < 18], [1, 2, 3], 0)  # places in COLORS
EXPECTED = np.array([IGNORE, 1, 0, IGNORE], np.uint8)[PAINTED]  # training ids of CLASSES: background and void count not


def unlabeled(root):
    """Two clips of images and a video; no labels."""
    tree_folder.write(root)
    for file in sorted((root / "labels").rglob("*.png")):
        file.unlink()
    return root


def cvat_files(pictures, colors=COLORS):
    """The files of an export "Segmentation mask 1.1": path -> content."""
    table = np.array(list(colors.values()), np.uint8)
    lines = ["# label:color_rgb:parts:actions", *(f"{name}:{r},{g},{b}::" for name, (r, g, b) in colors.items())]
    files = {
        "labelmap.txt": "\n".join(lines).encode(),
        "ImageSets/Segmentation/default.txt": "\n".join(pictures).encode(),
    }
    for key, places in pictures.items():
        for kind in ("SegmentationClass", "SegmentationObject"):
            buffer = io.BytesIO()
            Image.fromarray(table[places]).save(buffer, "PNG")
            files[f"{kind}/{key}.png"] = buffer.getvalue()
    return files


def cvat_zip(path, pictures, colors=COLORS):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in cvat_files(pictures, colors).items():
            archive.writestr(name, content)
    return path


def cvat_folder(path, pictures):
    for name, content in cvat_files(pictures).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def label_studio_json(path, keys, category="car"):
    """Everything of the frames is of one class, as a polygon."""
    value = {"points": [[0, 0], [100, 0], [100, 100], [0, 100]], "closed": True, "polygonlabels": [category]}
    result = {"type": "polygonlabels", "value": value, "original_width": SHAPE[1], "original_height": SHAPE[0]}
    result |= {"from_name": "label", "to_name": "image", "id": "a", "image_rotation": 0}
    images = [f"/data/local-files/?d=images/{urllib.parse.quote(key)}.png" for key in keys]
    tasks = [{"id": number, "data": {"image": image}} for number, image in enumerate(images, 1)]
    path.write_text(json.dumps([task | {"annotations": [{"id": 1, "result": [result]}]} for task in tasks]))


def labels(root, **options):
    """Key -> label of all samples."""
    problems = options.pop("problems", None) or Problems()
    options = folder.SPEC.complete(options)
    found = [folder.items(split, root, problems=problems, **options) for split in ("train", "val")]
    return {item.key: folder.load(item, SHAPE)["label"] for items in found for item in items if item.label}


def mirrored(root, key):
    save(root / "labels" / f"{key}.png", np.full(SHAPE, 7, np.uint8))


def gray(root, name, value):
    save(root / "labels" / f"{name}.png", np.full(SHAPE, value, np.uint8))


def two_good(root):
    for number in (7, 8):
        mirrored(root, f"rear/frame{number}")
