"""How much the geometry of two crops differs: the criterion of Matching Geometry Sampling.

Hoyer et al., "Improving Semi-Supervised and Domain-Adaptive Semantic Segmentation with Self-Supervised Depth
Estimation" (IJCV 2023). Disparities are normalised to [0,1] per whole image, in both domains alike, scaled by one of
SCALES, and compared pixel by pixel. The published code normalises only the target's: Q23 in docs/record/differences.md.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

# disparity in [0,1] -> what is compared
SCALES = {
    "synthia": lambda d: 655.36 / (255 * d + 1) - 0.01,
    "inv": lambda d: 1 / (d + 0.1),
    "loginv": lambda d: np.log(1 / (d + 0.01)),
    "log01": lambda d: np.log(d + 0.1),
    "log1": np.log1p,
    "id": lambda d: d,
}


def check_scale(scale: str) -> None:
    """Raises a ValueError that lists the known scales."""
    if scale not in SCALES:
        raise ValueError(f"matching.scale {scale!r} is unknown; choose from {', '.join(SCALES)}")


def normalize(disparity: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """(d - min) / (max - min) of one image, in [0,1]; a constant map becomes 0, as everywhere.

    See decision 8 in docs/record/differences.md.
    """
    low = disparity.min()
    span = disparity.max() - low
    return (disparity - low) / (span if span > 0 else span.dtype.type(1))


def row_weights(rows: int, top: float, bottom: float) -> Float[np.ndarray, " rows"]:
    """The share of every row that lies outside the band of `top` rows above and of `bottom` rows below.

    The published bands are 80 and 100 rows whatever the height, so that nothing is left of 180 rows or fewer.
    Ours are the same fractions of the height, which need not end between two rows: Q38 in docs/record/differences.md.
    """
    above = np.clip(top - np.arange(rows), 0, 1)
    return np.clip(1 - above - np.clip(bottom - np.arange(rows)[::-1], 0, 1), 0, 1)


def distances(
    base: Float[np.ndarray, "H W"],
    candidates: Float[np.ndarray, "N H W"],
    weights: Float[np.ndarray, " H"] | None = None,
    bound: float | None = None,
) -> Float[np.ndarray, " N"]:
    """mean over all pixels of weights * clip(|base - candidate|, 0, bound), for scaled maps.

    The mean counts the pixels of the bands, too, as published. `np.argmin` of it is the published choice: the first of
    equals, as a sum is formed in the same order for every candidate.
    """
    difference = np.abs(candidates - base[None])
    if bound is not None:
        np.minimum(difference, bound, out=difference)
    if weights is not None:
        difference *= weights.astype(difference.dtype)[None, :, None]
    return difference.reshape(len(candidates), -1).mean(axis=1)
