"""A person's own cameras: `camera.json` beside the files, or given as options, or unknown."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import warnings
from collections.abc import Sequence

from sde_seg_jax.data.spec import Size
from sde_seg_jax.geometry import camera
from sde_seg_jax.text_files import read_json
from sde_seg_jax.types import Intrinsics

FILE = "camera.json"
LIMIT = 1 << 20  # bytes of it
FORM = (
    'expected {"fx", "fy", "cx", "cy", "width", "height"} or {"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], "width", '
    '"height"} in pixels, or {"field_of_view": degrees across the width}'
)
NOMINAL = 60.0  # degrees across the width, of an unknown camera: between a phone (65) and a dash camera's crop
VIEWS = (10.0, 170.0)  # degrees across the width: plausible pinhole cameras
STRETCH = (0.5, 2.0)  # fy / fx: pixels are nearly square; video stored at another width reaches 4 / 3
SHAPE_TOLERANCE = 0.02  # of the aspect ratio: sizes are rounded to whole (or 8) pixels when images are made smaller


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera as it was given.

    Attributes:
      where: the file or option, for messages.
      intrinsics: (fx, fy, cx, cy) in pixels of an image of `size`; None: only `degrees` is known.
      size: (height, width).
      degrees: field of view across the width; square pixels, centre in the middle.
    """

    where: str
    intrinsics: tuple[float, float, float, float] | None = None
    size: Size | None = None
    degrees: float | None = None

    def at(self, size: Size, image: str) -> tuple[float, float, float, float]:
        """(fx, fy, cx, cy) for images of `size`; `image` names one of them.

        Raises:
          ValueError: they have another shape than the camera's, or its values are implausible.
        """
        height, width = size
        if self.intrinsics is None:
            focal = width / 2 / math.tan(math.radians(self.degrees / 2))
            return focal, focal, (width - 1) / 2, (height - 1) / 2
        shape = width / height / (self.size[1] / self.size[0])
        if size != self.size and abs(shape - 1) > SHAPE_TOLERANCE:
            raise ValueError(
                f"{self.where} is for images of {self.size[1]}x{self.size[0]}, but '{image}' is {width}x{height}, of "
                f"another shape; calibrate at that shape, or correct width, height and the centre for the cut"
            )
        i = camera.resize(Intrinsics(*self.intrinsics), self.size, size)
        return i.fx, i.fy, i.cx, i.cy


def read(path: pathlib.Path) -> Camera:
    """The camera of a file; other keys than the known ones are left alone.

    Raises:
      ValueError: it has another form or implausible values, naming the file.
    """
    try:
        facts = read_json(path, LIMIT)
        degrees = facts.get("field_of_view", facts.get("horizontal_fov"))
        if degrees is None:
            values = (*_focal_and_centre(facts), facts["width"], facts["height"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"cannot read camera '{path}' ({type(error).__name__}: {error}); {FORM}") from error
    return from_values(values, f"'{path}'") if degrees is None else from_view(degrees, f"'{path}'")


def from_values(values: Sequence[float], where: str) -> Camera:
    """The camera of (fx, fy, cx, cy, width, height) in pixels. Raises ValueError if they are implausible."""
    if len(values) != 6 or not all(_number(value) for value in values):
        raise ValueError(
            f"camera {where} has the values {list(values)}; expected six numbers fx, fy, cx, cy, width, height"
        )
    fx, fy, cx, cy, width, height = map(float, values)
    if min(fx, fy, width, height) <= 0:
        raise ValueError(f"camera {where} has fx {fx}, fy {fy}, size {width}x{height}; expected positive pixels")
    if not (0 <= cx <= width - 1 and 0 <= cy <= height - 1):
        raise ValueError(f"camera {where} has its centre at ({cx}, {cy}), outside {width:g}x{height:g}; correct it")
    size = (int(height), int(width))
    _check_view(float(camera.field_of_view(Intrinsics(fx, fy, cx, cy), size)[0]), where)
    if not STRETCH[0] <= fy / fx <= STRETCH[1]:
        raise ValueError(f"camera {where} has fy / fx = {fy / fx:.2f}; pixels are nearly square: correct fx or fy")
    return Camera(where, (fx, fy, cx, cy), size)


def from_view(degrees: float, where: str) -> Camera:
    """The camera of a field of view across the width, in degrees. Raises ValueError if it is implausible."""
    if not _number(degrees):
        raise ValueError(f"camera {where} has the field of view {degrees!r}; expected degrees across the width")
    _check_view(degrees, where)
    return Camera(where, degrees=float(degrees))


class Cameras:
    """Finds the camera of a clip: the file nearest to it, else the option, else a nominal one with a warning."""

    def __init__(self, root: pathlib.Path, intrinsics: Sequence[float] | None, field_of_view: float | None):
        if intrinsics is not None and field_of_view is not None:
            raise ValueError("dataset.intrinsics and dataset.field_of_view are both given; keep one")
        self._root, self._default = root, None
        if intrinsics is not None:
            self._default = from_values(intrinsics, "dataset.intrinsics")
        if field_of_view is not None:
            self._default = from_view(field_of_view, "dataset.field_of_view")

    def of(self, clip: pathlib.Path) -> Camera:
        """The camera of a folder of images or of a video file below the root."""
        places = [folder / FILE for folder in (clip, *clip.parents) if folder.is_relative_to(self._root)]
        if clip.is_file():
            places = [clip.with_name(f"{clip.name}.{FILE}"), clip.with_suffix(f".{FILE}"), *places]
        for path in places:
            if path.is_file():
                return read(path)
        if self._default is not None:
            return self._default
        self._default = Camera("the nominal camera", degrees=NOMINAL)  # one warning is enough
        warnings.warn(
            f"no camera is known for '{clip}': taking {NOMINAL:g} degrees across the width; write {FILE}, set "
            f"dataset.field_of_view=DEGREES, or learn it with model.learn_intrinsics=focal",
            stacklevel=2,
        )
        return self._default


def _focal_and_centre(facts: dict) -> Sequence[float]:
    if "K" not in facts:
        return [facts[key] for key in ("fx", "fy", "cx", "cy")]
    (fx, skew, cx), (zero, fy, cy), last = facts["K"]
    if skew or zero or list(last) != [0, 0, 1]:
        raise ValueError("K has a skew or another last row")
    return fx, fy, cx, cy


def _check_view(degrees: float, where: str) -> None:
    if not VIEWS[0] <= degrees <= VIEWS[1]:
        raise ValueError(
            f"camera {where} sees {degrees:.1f} degrees across the width; expected {VIEWS[0]:g} to {VIEWS[1]:g}: focal "
            f"lengths and size must be in pixels of one image"
        )


def _number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
