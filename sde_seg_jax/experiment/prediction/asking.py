"""What prediction needs of a network, and nothing else: images of one size in, maps of that size out.

A trained network makes one (`model.Model.predictors`); whatever else can fill the record (a file of another format)
works everywhere that this one does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.label_spaces import LabelSpace

PROBABILITIES, DISPARITY = "probabilities", "disparity"
Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A network as it is asked.

    Attributes:
      call: uint8 RGB [B,h,w,3] -> {"probabilities": [B,h,w,C] in [0,1], "disparity": [B,h,w] in (0,1)}, those in
        `gives`; arrays of NumPy, or of jax that need not be computed yet.
      size_of: (height, width) of an image -> (h, w) to which it is brought for `call`. Raises ValueError for an image
        that cannot be asked about.
      gives: what `call` returns.
      space: the classes of the probabilities.
      depths: what a disparity of 0 and 1 means.
      batch: images a call; 0: any number.
    """

    call: Callable[[np.ndarray], Mapping[str, Any]]
    size_of: Callable[[Size], Size]
    gives: tuple[str, ...]
    space: LabelSpace | None = None
    depths: DepthRange = dataclasses.field(default_factory=DepthRange)
    batch: int = 0
