"""View synthesis: what a source camera would show if it stood where the target camera is."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sde_seg_jax.geometry.precision import at_least_float32


def back_project(depth: Float[Array, "B H W 1"], k_inverse: Float[Array, "B 3 3"]) -> Float[Array, "B H W 3"]:
    """The 3-D point of every pixel in target coordinates, in depth's unit: X = depth * K^-1 (x, y, 1)'."""
    depth = at_least_float32(depth)
    _, height, width, _ = depth.shape
    x = jnp.arange(width, dtype=depth.dtype)[None, None, :, None]
    y = jnp.arange(height, dtype=depth.dtype)[None, :, None, None]
    k = k_inverse.astype(depth.dtype)[:, None, None]
    return depth * (k[..., 0] * x + k[..., 1] * y + k[..., 2])


def project(
    points: Float[Array, "B H W 3"],
    k: Float[Array, "B 3 3"],
    source_from_target: Float[Array, "B 4 4"],
    eps: float = 1e-7,
) -> Float[Array, "B H W 2"]:
    """Where the source camera sees target points: pixel coordinates (x, y), pixel centres at integers.

    (u, v, w)' = K (R X + t),  x = u / (w + eps),  y = v / (w + eps). Points behind the camera are projected
    too, as published; they mostly land outside the image.
    """
    motion = source_from_target[:, :3].astype(points.dtype)
    camera = jnp.einsum("bij,bjk->bik", k.astype(points.dtype), motion, precision="highest")[:, None, None]
    u = (camera[..., :3] * points[..., None, :]).sum(-1) + camera[..., 3]
    return u[..., :2] / (u[..., 2:] + eps)


def sample_bilinear(image: Float[Array, "B H W C"], xy: Float[Array, "B h w 2"]) -> Float[Array, "B h w C"]:
    """`image` at fractional pixel coordinates (x, y), bilinear, the border extended outwards.

    Equals grid_sample(padding_mode="border", align_corners=True) on the same points, gradients included:
    outside of the image, its outermost pixel centres included, the gradient to the coordinates is zero.
    Coordinates are float32 or longer; the result has their precision.
    """
    xy = at_least_float32(xy)
    batch, height, width, channels = image.shape
    x, y = _clamp(xy[..., 0], width - 1), _clamp(xy[..., 1], height - 1)
    left, top = _cell(x, width), _cell(y, height)
    right, bottom = jnp.minimum(left + 1, width - 1), jnp.minimum(top + 1, height - 1)
    index = jnp.stack([row * width + column for row in (top, bottom) for column in (left, right)], axis=1)
    # One gather of whole pixels. It is batched, not on one flat list, so that it splits over devices with the
    # batch.
    pixels = image.reshape(batch, height * width, channels).astype(xy.dtype)
    corners = jax.vmap(lambda p, i: p.at[i].get(mode="clip"))(pixels, index)
    wx, wy = (x - left.astype(x.dtype))[..., None], (y - top.astype(y.dtype))[..., None]
    upper = (1 - wx) * corners[:, 0] + wx * corners[:, 1]
    lower = (1 - wx) * corners[:, 2] + wx * corners[:, 3]
    return (1 - wy) * upper + wy * lower


def warp(
    source: Float[Array, "B H W C"],
    depth: Float[Array, "B H W 1"],
    k: Float[Array, "B 3 3"],
    k_inverse: Float[Array, "B 3 3"],
    source_from_target: Float[Array, "B 4 4"],
) -> Float[Array, "B H W C"]:
    """The target view rebuilt from the source image, through the target's depth and the camera motion."""
    return sample_bilinear(source, project(back_project(depth, k_inverse), k, source_from_target))


def _clamp(x: Array, upper: int) -> Array:
    # Not jnp.clip: its gradient at the bound is one half, that of the reference is zero.
    return jnp.where(x <= 0, 0, jnp.where(x >= upper, upper, x))


def _cell(x: Array, size: int) -> Int[Array, "..."]:
    return jnp.clip(jnp.floor(jax.lax.stop_gradient(x)).astype(jnp.int32), 0, size - 1)
