"""What an example consists of: every field once, with its type, its shape, how it is stored, and how it is mirrored.

A new field is one entry of FIELDS (and an attribute of `types.Batch`); preparing, storing, reading, cropping, mirroring
and inspecting follow it. How each kind of `coding` is resized, coded and read back: `stored/codings.py`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from sde_seg_jax.types import IGNORE

NEIGHBORS = 2  # frames -1 and +1
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0]).astype(np.float32)  # of a point: x becomes -x


def mirror_pose(pose: np.ndarray) -> np.ndarray:
    """T' = M T M with M = diag(-1, 1, 1, 1): the motion [S, 4, 4] between mirrored cameras."""
    return MIRROR @ pose @ MIRROR


@dataclasses.dataclass(frozen=True)
class Field:
    """One entry of an example.

    Attributes:
      dtype: of the decoded array.
      shape: of it in one sample; None stands for height and width, which a window cuts and a mirror reverses.
      coding: how a record holds it, a key of `codings.CODINGS` if optional; "" if records do not: it lies elsewhere.
      optional: not all data sets have it.
      whole_split: all samples of a split have it, or none.
      mirror: what mirroring does to a field that is no map; None: nothing.
      between: of a map; resized, it may take values between those of neighboring pixels.
      outside: of a map; what stands beyond the edge of an image that is smaller than its crop.
    """

    dtype: str
    shape: tuple[int | None, ...]
    coding: str = ""
    optional: bool = True
    whole_split: bool = False
    mirror: Callable[[np.ndarray], np.ndarray] | None = None
    between: bool = False
    outside: int = 0

    @property
    def is_map(self) -> bool:
        """Whether it has height and width."""
        return None in self.shape

    @property
    def several(self) -> bool:
        """Whether a record holds a list: of numbers, or of image files for maps one after the other."""
        return bool(self.shape) and self.shape[0] is not None

    @property
    def frames(self) -> bool:
        """Whether it is several maps, [S, H, W, ...]."""
        return self.is_map and self.several

    @property
    def pixel_bytes(self) -> int:
        """Bytes a pixel of a decoded map; 0 for what is no map."""
        numbers = math.prod(n for n in self.shape if n is not None)
        return numbers * np.dtype(self.dtype).itemsize if self.is_map else 0


FIELDS = {  # in the order in which batches carry them
    "image": Field("uint8", (None, None, 3), "image", optional=False, between=True),
    "intrinsics": Field("float32", (4,), "numbers", optional=False),  # of the whole image at the stored size
    "name": Field("str", (), "text", optional=False),
    "labeled": Field("bool", (), "flag", optional=False),
    "neighbors": Field("uint8", (NEIGHBORS, None, None, 3), "image", whole_split=True, between=True),
    "label": Field("uint8", (None, None), "ids", outside=IGNORE),  # the label space's ignore id where unknown
    "depth": Field("float32", (None, None), "depth", whole_split=True),  # metres, 0 = none
    "pose": Field("float32", (NEIGHBORS, 4, 4), "numbers", whole_split=True, mirror=mirror_pose),
    "disparity": Field("float32", (None, None), between=True),  # in [0,1], of a `stored.depth_cache`
    "valid": Field("bool", (None, None)),  # where the image is; made with crops of scaled images (`reading.scaling`)
}
ALWAYS = tuple(name for name, field in FIELDS.items() if not field.optional)
OPTIONAL_FIELDS = tuple(name for name, field in FIELDS.items() if field.optional)
STORED_FIELDS = tuple(name for name in OPTIONAL_FIELDS if FIELDS[name].coding)  # a description may declare these
WHOLE_SPLIT = tuple(name for name, field in FIELDS.items() if field.whole_split)
MAPS = tuple(name for name, field in FIELDS.items() if field.is_map)
