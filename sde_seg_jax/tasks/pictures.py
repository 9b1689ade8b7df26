"""What a task that mixes shows of it."""

from __future__ import annotations

from flax import struct
from jaxtyping import Array, Bool, Float, Int


@struct.dataclass
class Mix:
    """A mixed batch and what it was made of, for pictures; a task's mixer returns such by name."""

    kept: Float[Array, "B H W 3"]  # shown where the mask is true, in [0,1]
    under: Float[Array, "B H W 3"]  # shown elsewhere
    kept_disparity: Float[Array, "B H W 1"] | None  # normalized per image to [0,1]; None if depth does not decide
    under_disparity: Float[Array, "B H W 1"] | None
    mask: Bool[Array, "B H W 1"]
    image: Float[Array, "B H W 3"]  # mixed, not augmented
    label: Int[Array, "B H W"]  # what the student learns there, IGNORE where nothing
