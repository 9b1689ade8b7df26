"""Between the network's sigmoid disparity in (0,1) and depth."""

import dataclasses

from jaxtyping import Array, Float

from sde_seg_jax.bounds import Positive


@dataclasses.dataclass(frozen=True)
class DepthRange:
    """The depths that a network can tell, in metres up to scale; the defaults are the published ones of training."""

    min_depth: Positive = 0.1
    max_depth: Positive = 100.0


def disparity_to_depth(disparity: Float[Array, "..."], min_depth: float, max_depth: float) -> Float[Array, "..."]:
    """Depth in [min_depth, max_depth], in the unit of those bounds: disparity 0 is far, 1 is near.

    1/depth = 1/max + (1/min - 1/max) * disparity   (0.1..100 in training, 1e-3..80 in tests)
    METHOD 1 in docs/reference/method.md. Raises ValueError unless 0 < min_depth < max_depth.
    """
    if not 0 < min_depth < max_depth:
        raise ValueError(f"expected 0 < min_depth < max_depth, got {min_depth} and {max_depth}; swap or raise them")
    far, near = 1 / max_depth, 1 / min_depth
    return 1 / (far + (near - far) * disparity)
