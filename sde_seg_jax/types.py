"""The values that pass between layers: frozen pytrees with named fields, shapes in the annotations.

One alphabet throughout: B batch, S source frames, H W pixels, C classes. Images are NHWC. On the host and on the
way to the device images are uint8 in [0,255]; inside a step they are float32 in [0,1]. Frame offsets are -1, +1.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, UInt8

IGNORE = 250  # label id of pixels without ground truth; excluded from losses and metrics (as published)

Params = Any  # nested dict of arrays, as flax linen returns it


@struct.dataclass
class Intrinsics:
    """Pinhole camera in pixels of the image it travels with; pixel centres are integers 0..W-1."""

    fx: Float[Array, "B"]
    fy: Float[Array, "B"]
    cx: Float[Array, "B"]
    cy: Float[Array, "B"]


@struct.dataclass
class Batch:
    """One stream's share of a training step. Optional fields are None where the data set has none."""

    image: UInt8[Array, "B H W 3"]
    intrinsics: Intrinsics
    neighbors: UInt8[Array, "B S H W 3"] | None = None  # source frames in temporal order (-1, +1)
    label: UInt8[Array, "B H W"] | None = None  # class ids, IGNORE where unknown (all IGNORE if unlabeled)
    labeled: Bool[Array, "B"] | None = None  # does this sample have ground truth?
    depth: Float[Array, "B H W"] | None = None  # true depth in metres, 0 = none (evaluation only)
    pose: Float[Array, "B S 4 4"] | None = None  # true source_from_target (evaluation and tests only)
    disparity: Float[Array, "B H W"] | None = None  # cached disparity of a frozen network, in (0,1)
    valid: Bool[Array, "B H W"] | None = None  # false beyond the edge of an image that was scaled below its crop
    name: np.ndarray | None = None  # readable sample ids; host only, dropped before the device


@struct.dataclass
class Streams:
    """What one step reads: a task declares which of these it reads (`Task.streams`)."""

    labeled: Batch | None = None
    unlabeled: Batch | None = None
    source: Batch | None = None


@struct.dataclass
class Outputs:
    """What a network returns for one image batch; a part that was not asked for is None. All float32."""

    disparity: tuple[Float[Array, "B h w 1"], ...] | None = None  # sigmoid maps, fine (scale 0) to coarse (scale 3)
    logits: Float[Array, "B h w C"] | None = None
    intermediate_logits: Float[Array, "B h w C"] | None = None
    bottleneck: Float[Array, "B h w F"] | None = None  # the encoder's last feature map


@struct.dataclass
class View:
    """What loss terms see: float images, ground truth, predictions. Terms read the fields they need."""

    image: Float[Array, "B H W 3"]  # un-augmented target in [0,1]
    outputs: Outputs
    sources: Float[Array, "B S H W 3"] | None = None  # un-augmented neighbors in [0,1]
    source_from_target: Float[Array, "B S 4 4"] | None = None
    intrinsics: Intrinsics | None = None
    label: Int[Array, "B H W"] | None = None
    weight: Float[Array, "B H W"] | None = None
    reference_bottleneck: Float[Array, "B h w F"] | None = None  # frozen ImageNet encoder's features
    reference_disparity: Float[Array, "B H W 1"] | None = None  # a teacher's disparity, for imitation


@struct.dataclass
class Variables:
    """Parameters and batch-norm running statistics of one network."""

    params: Params
    batch_stats: Params


@struct.dataclass
class TrainState:
    """Everything that training needs to continue; what a checkpoint holds."""

    step: Int[Array, ""]  # number of updates done
    student: Variables
    opt_state: Any
    key: jax.Array  # typed PRNG key of the run; the step folds its number in
    teacher: Variables | None = None  # EMA of the student
    frozen: dict[str, Variables] = struct.field(default_factory=dict)  # networks that are only read
