"""The painted regions of one entry of Label Studio's exports JSON and JSON-MIN, and the label they make.

JSON has an entry for each task with all its annotations; JSON-MIN has one for each annotation, its regions under the
names of the controls. Format: labelstud.io/guide/export and /guide/task_format.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from sde_seg_jax.data.annotation import brush_rle, frames, shapes
from sde_seg_jax.data.annotation.frames import BACKGROUND, PIXELS, NamedLabel, check_size
from sde_seg_jax.data.spec import Size

LABELS = ("brushlabels", "polygonlabels", "labels")  # types of a region with a class
SHAPES = ("brush", "polygon")  # of <Brush> and <Polygon>: the class is in a result of the same id
UNNAMED = "region"  # our name of one that has no type
# Answers about an image or a region, which paint nothing.
REMARKS = ("choices", "textarea", "text", "number", "rating", "taxonomy", "datetime", "relation", "pairwise", "ranker")
PERCENT = 100


@dataclasses.dataclass(frozen=True)
class Region:
    """A region as it stands in the export.

    Attributes:
      name: its class.
      value: with "rle", bytes of the brush, or "points", a polygon in percent of the image.
      size: (height, width) of the image in pixels.
    """

    name: str
    value: dict[str, Any]
    size: tuple[int, int]


def of_task(task: dict[str, Any]) -> list[Region]:
    """The regions of a task of JSON: of the newest annotation that was not cancelled; [] if there is none."""
    annotations = [a for a in task["annotations"] if not (a.get("was_cancelled") or a.get("skipped"))]
    results = max(annotations, key=changed).get("result") or [] if annotations else []
    classed = {result.get("id") for result in results if result.get("type") in LABELS}
    return [_region(result) for result in results if _paints(result, classed)]


def of_row(row: dict[str, Any]) -> list[Region]:
    """The regions of a row of JSON-MIN, which has no types: they follow from the keys."""
    found = []
    for control in row.values():
        for value in control if isinstance(control, list) else ():
            kind = _kind(value) if isinstance(value, dict) else None
            if kind and kind not in REMARKS:
                found.append(_region({**value, "type": kind, "value": value}))
    return found


def changed(annotation: dict[str, Any]) -> str:
    """When an annotation was changed last, in ISO 8601, which sorts; "" if it does not say."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def paint(regions: list[Region], size: Size | None = None) -> NamedLabel:
    """The label of regions, of which there is at least one; later ones paint over earlier ones.

    Raises:
      OtherSize: it is not of the `size` (height, width) of its frame.
      ValueError: a region is broken, or of an image of another size; the message says what to do, not where.
    """
    height, width = regions[0].size
    if any(region.size != (height, width) for region in regions):
        sizes = sorted({f"{w} x {h}" for h, w in (region.size for region in regions)})
        raise ValueError(f"its regions are of images of {' and '.join(sizes)}; delete those of the wrong image")
    check_size((height, width), size)
    names = tuple(dict.fromkeys(region.name for region in regions))
    indices, painted = np.full((height, width), BACKGROUND, np.int16), 0
    for region in regions:
        painted = frames.paint(indices, _patch(region), names.index(region.name), painted)
    return NamedLabel(indices, names)


def _paints(result: dict[str, Any], classed: set[Any]) -> bool:
    """Is this result a region, not a remark, nor the shape without class of one?"""
    kind = result.get("type")
    return kind not in REMARKS and not (kind in SHAPES and result.get("id") in classed)


def _kind(value: dict[str, Any]) -> str | None:
    """The type of a value of JSON-MIN: the key of its class or remark; None: no value of a control."""
    remarks = (key for key in value if key in REMARKS)
    return next(remarks, next(_classes(value), UNNAMED if "original_width" in value else None))


def _classes(value: dict[str, Any]) -> Iterator[str]:
    return (key for key in value if key.endswith("labels"))


def _region(result: dict[str, Any]) -> Region:
    """A result that must be a region of one class."""
    kind, value = result.get("type"), result.get("value")
    if not isinstance(value, dict) or kind not in LABELS or ("rle" in value) == ("points" in value):
        if kind in (*SHAPES, UNNAMED):
            raise ValueError("it has a region without a class; give it one, or delete it")
        raise ValueError(
            f"it has a region of type {kind!r}; only brush and polygons say which pixels are meant: draw it again with "
            f"one of them, or delete it"
        )
    names = value.get(kind)
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        raise ValueError(f"it has a region of the classes {names!r}; give each region exactly one")
    if result.get("image_rotation"):
        raise ValueError(f"its image is turned by {result['image_rotation']} degrees; turn it back")
    size = result.get("original_height"), result.get("original_width")
    if not all(isinstance(side, int) and side > 0 for side in size) or size[0] * size[1] > PIXELS:
        many = f", more than {PIXELS:,} in all" if all(isinstance(side, int) and side > 0 for side in size) else ""
        raise ValueError(f"a region of {names[0]!r} has an image of {size[1]} x {size[0]} pixels{many}; draw it again")
    return Region(names[0], value, size)


def _patch(region: Region) -> shapes.Patch:
    """The pixels of a region."""
    height, width = region.size
    try:
        if "rle" in region.value:
            return 0, 0, brush_rle.decode(region.value["rle"], height, width)
        scale = np.array([width, height]) / PERCENT
        return shapes.patch_of_polygon(np.array(region.value["points"], np.float64) * scale, height, width)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"a region of {region.name!r} is broken: {error}; delete it, and draw it again") from error
