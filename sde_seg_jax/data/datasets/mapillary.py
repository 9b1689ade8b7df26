"""Mapillary Vistas v1.2: 18000 / 2000 labeled photographs of many sizes, 65 classes; no video.

Neuhold et al.: The Mapillary Vistas dataset for semantic understanding of street scenes, ICCV 2017. v2.0, with
other classes, is `mapillary_v2`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.raw_files import listing, raw
from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.label_spaces import MAPILLARY, LabelSpace
from sde_seg_jax.text_files import read_json
from sde_seg_jax.types import IGNORE

FOLDERS = {"train": "training", "val": "validation"}
FIELD_OF_VIEW = 60.0  # degrees across the width: a placeholder, since no camera is published; nothing here reads it

Item = tuple[str, str, tuple[int, ...]]  # paths of image and label; training id of each raw id


@dataclasses.dataclass(frozen=True)
class Release:
    """Where one release keeps its labels. Of several places (old and new packages) the first that exists counts."""

    name: str
    space: LabelSpace
    configs: tuple[str, ...]
    labels: tuple[str, ...]  # below training/ and validation/

    @property
    def layout(self) -> str:
        """The raw folder in one line."""
        configs, labels = " or ".join(self.configs), " or ".join(self.labels)
        return f"{configs}, {{training,validation}}/images/*.jpg, .../{labels}/*.png (see docs/data.md)"


V1 = Release("mapillary", MAPILLARY, ("config_v1.2.json", "config.json"), ("v1.2/labels", "labels"))


def release_items(release: Release, split: str, raw_dir: pathlib.Path, *, problems: raw.Problems) -> Sequence[Item]:
    """Lists the images of a split with their labels, by name.

    Raises:
      ValueError: a folder, a label or the config is missing, or the config has other classes than the release.
    """
    folder = raw_dir / FOLDERS[split]
    images = raw.subfolder(raw_dir, f"{FOLDERS[split]}/images", release.name, release.layout)
    table = read_config(release, raw_dir)
    label_folders = [folder / part for part in release.labels]
    labels = next((path for path in label_folders if path.is_dir()), None)
    if labels is None:
        raise ValueError(f"Missing raw files of {release.name!r}: '{label_folders[0]}'; expected {release.layout}")
    pictures = {path.stem: path for path in sorted(listing.glob(images, "*.jpg"))}
    if not pictures:
        raise ValueError(f"'{images}' has no files *.jpg; expected {release.layout}")
    masks = {path.stem: path for path in listing.glob(labels, "*.png")}
    names = raw.check_pairs(pictures, masks, "unpack the package again", problems)
    return [(str(pictures[name]), str(masks[name]), table) for name in names]


def load(item: Item, size: Size) -> dict[str, Any]:
    """Reads one image of any size; labels that are not evaluated become IGNORE."""
    image_path, label_path = map(pathlib.Path, item[:2])
    image = raw.read_image(image_path)
    height, width = image.shape[:2]
    focal = width / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))
    return {
        "image": image,
        "label": raw.train_ids(raw.read_label(label_path), np.array(item[2], np.uint8), label_path),
        "intrinsics": (focal, focal, (width - 1) / 2, (height - 1) / 2),
        "name": image_path.stem,
        "files": {"image": image_path, "label": label_path},
    }


def read_config(release: Release, raw_dir: pathlib.Path) -> tuple[int, ...]:
    """Training id of each raw id, from the release's config: its evaluated labels in order, else IGNORE.

    Raises:
      ValueError: there is no config, it has another form, or its evaluated labels are not the label space's
        (compared by color, as the published system finds its classes).
    """
    paths = [raw_dir / name for name in release.configs]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ValueError(f"Missing raw files of {release.name!r}: '{paths[0]}'; expected {release.layout}")
    try:
        labels = [(bool(entry["evaluate"]), tuple(entry["color"])) for entry in read_json(path)["labels"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"cannot read '{path}' ({type(error).__name__}: {error}); expected JSON with labels: a list of evaluate, "
            f"color, ...; unpack the package again"
        ) from error
    colors, space = [color for evaluated, color in labels if evaluated], release.space
    if len(colors) != space.num_classes:
        raise ValueError(
            f"'{path}' has {len(colors)} evaluated labels, {release.name!r} has {space.num_classes} classes; v1.2 has "
            f"65 (data set 'mapillary'), v2.0 has 116 ('mapillary_v2'): choose the one that fits your files"
        )
    for name, wanted, found in zip(space.classes, space.colors, colors, strict=True):
        if wanted != found:
            raise ValueError(f"'{path}' gives class {name!r} the color {found}, expected {wanted}; unpack it again")
    ids = iter(range(space.num_classes))
    return tuple(next(ids) if evaluated else IGNORE for evaluated, _ in labels)


def describe(release: Release) -> DatasetSpec:
    """The data set description of one release."""
    return DatasetSpec(
        name=release.name,
        version="1.0.0",
        space=release.space,
        splits=tuple(FOLDERS),
        items=functools.partial(release_items, release),
        load=load,
        layout=release.layout,
        remedies={"neighbors": "it is no video: train depth on another data set"},
    )


SPEC = describe(V1)
