"""Whether the depths of two frames tell of one scene: each point of the one, moved, should lie on the other."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from sde_seg_jax.geometry.warp import back_project, project, sample_bilinear


def depth_inconsistency(
    depth: Float[Array, "B H W 1"],
    source_depth: Float[Array, "B H W 1"],
    k: Float[Array, "B 3 3"],
    k_inverse: Float[Array, "B 3 3"],
    source_from_target: Float[Array, "B 4 4"],
) -> Float[Array, "B"]:
    """Mean of |z - d| / (z + d) over the pixels that the source camera sees: 0 = the same scene, 1 = nothing in common.

    z: depth of the target's point in the source camera; d: the source's own depth where that point is seen. Depths
    and motion in one unit. An image of which the source sees nothing has 1. Bian et al., Unsupervised Scale-consistent
    Depth and Ego-motion Learning from Monocular Video, NeurIPS 2019.
    """
    height, width = depth.shape[1:3]
    points = back_project(depth, k_inverse)
    rotation, shift = source_from_target[:, 2, :3].astype(points.dtype), source_from_target[:, 2, 3]
    z = jnp.einsum("bhwi,bi->bhw", points, rotation, precision="highest") + shift[:, None, None].astype(points.dtype)
    xy = project(points, k, source_from_target)
    seen = sample_bilinear(source_depth, xy)[..., 0]
    x, y = xy[..., 0], xy[..., 1]
    inside = (z > 0) & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    difference = jnp.where(inside, jnp.abs(z - seen) / jnp.where(inside, z + seen, 1), 0)
    count = inside.sum((1, 2)).astype(points.dtype)
    return jnp.where(count > 0, difference.sum((1, 2)) / jnp.maximum(count, 1), 1)
