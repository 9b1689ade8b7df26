"""View synthesis: what a source camera would show if it stood where the target camera is.

Coordinates are computed as planes, x and y apart: with two or three numbers a pixel innermost, nothing is vectorized.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sde_seg_jax.geometry.precision import at_least_float32


def back_project(depth: Float[Array, "B H W 1"], k_inverse: Float[Array, "B 3 3"]) -> Float[Array, "B H W 3"]:
    """The 3-D point of every pixel in target coordinates, in depth's unit: X = depth * K^-1 (x, y, 1)'."""
    return jnp.stack(_points(depth[..., 0], k_inverse), axis=-1)


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
    return jnp.stack(_pixels(jnp.unstack(points, axis=-1), k, source_from_target, eps), axis=-1)


def source_pixels(
    depth: Float[Array, "B N H W"],
    k: Float[Array, "B 3 3"],
    k_inverse: Float[Array, "B 3 3"],
    source_from_target: Float[Array, "B S 4 4"],
) -> tuple[Float[Array, "B S N H W"], Float[Array, "B S N H W"]]:
    """Where each source camera sees the target's pixels, x and y, if these lie at each of N depths."""
    points = _points(depth, k_inverse)
    pixels = [_pixels(points, k, motion) for motion in jnp.unstack(source_from_target, axis=1)]
    x, y = (jnp.stack(planes, axis=1) for planes in zip(*pixels, strict=True))
    return x, y


def sample_bilinear(image: Float[Array, "B H W C"], xy: Float[Array, "B h w 2"]) -> Float[Array, "B h w C"]:
    """`image` at fractional pixel coordinates (x, y), bilinear, the border extended outwards.

    Equals grid_sample(padding_mode="border", align_corners=True) on the same points, gradients included:
    outside of the image, its outermost pixel centres included, the gradient to the coordinates is zero.
    Coordinates are float32 or longer; the result has their precision.
    """
    x, y = jnp.unstack(at_least_float32(xy), axis=-1)
    return jnp.moveaxis(sample_planes(image, x, y), 1, -1)


@jax.custom_vjp
def sample_planes(
    image: Float[Array, "*B H W C"], x: Float[Array, "..."], y: Float[Array, "..."]
) -> Float[Array, "..."]:
    """`sample_bilinear` at points x, y [*B,*P] (float32 or longer) of any number of axes, a plane a channel: [*B,C,*P].

    The gradient keeps the slopes of the image at the points instead of the four pixels around each of them.
    """
    return _sample(image, x, y)[0]


def _sample_forward(image, x, y):
    sampled, slopes = _sample(image, x, y)
    return sampled, (slopes, image, x, y)


def _sample_backward(kept, gradient):
    slopes, image, x, y = kept
    channels = image.ndim - 3
    to_x, to_y = (sum(jnp.unstack(gradient * slope, axis=channels)) for slope in slopes)
    (to_image,) = jax.vjp(lambda i: _sample(i, x, y)[0], image)[1](gradient)
    return to_image, to_x, to_y


sample_planes.defvjp(_sample_forward, _sample_backward)


def _sample(image, x, y):
    """(sampled, (slope along x, slope along y)), each [*B,C,*P]; slopes are zero beyond the outermost pixel centres."""
    *batch, height, width, channels = image.shape
    (left, wx, moves_x), (top, wy, moves_y) = _cell(x, width), _cell(y, height)
    right, bottom = jnp.minimum(left + 1, width - 1), jnp.minimum(top + 1, height - 1)
    # Whole pixels are gathered. Batched, not from one flat list, so that it splits over devices with the batch.
    take = lambda pixels, index: pixels.at[index].get(mode="clip")  # noqa: E731
    for _ in batch:
        take = jax.vmap(take)
    pixels, axis = image.reshape(*batch, height * width, channels).astype(x.dtype), len(batch)
    corner = lambda row, column: jnp.moveaxis(take(pixels, row * width + column), -1, axis)  # noqa: E731
    a, b, c, d = corner(top, left), corner(top, right), corner(bottom, left), corner(bottom, right)
    wx, wy, moves_x, moves_y = (jnp.expand_dims(plane, axis) for plane in (wx, wy, moves_x, moves_y))
    upper, lower = (1 - wx) * a + wx * b, (1 - wx) * c + wx * d
    along_x = jnp.where(moves_x, (1 - wy) * (b - a) + wy * (d - c), 0)
    along_y = jnp.where(moves_y, lower - upper, 0)
    return (1 - wy) * upper + wy * lower, (along_x, along_y)


def warp(
    source: Float[Array, "B H W C"],
    depth: Float[Array, "B H W 1"],
    k: Float[Array, "B 3 3"],
    k_inverse: Float[Array, "B 3 3"],
    source_from_target: Float[Array, "B 4 4"],
) -> Float[Array, "B H W C"]:
    """The target view rebuilt from the source image, through the target's depth and the camera motion."""
    return sample_bilinear(source, project(back_project(depth, k_inverse), k, source_from_target))


def _points(depth: Float[Array, "B *N H W"], k_inverse: Float[Array, "B 3 3"]) -> list[Float[Array, "B *N H W"]]:
    """X, Y, Z of every pixel."""
    depth = at_least_float32(depth)
    height, width = depth.shape[-2:]
    leading = (1,) * (depth.ndim - 2)
    x = jnp.arange(width, dtype=depth.dtype).reshape(*leading, 1, width)
    y = jnp.arange(height, dtype=depth.dtype).reshape(*leading, height, 1)
    k = _rows(k_inverse, depth)
    return [depth * (row[0] * x + row[1] * y + row[2]) for row in k]


def _pixels(
    points: list[Float[Array, "B *N H W"]],
    k: Float[Array, "B 3 3"],
    source_from_target: Float[Array, "B 4 4"],
    eps: float = 1e-7,
) -> tuple[Float[Array, "B *N H W"], Float[Array, "B *N H W"]]:
    """x and y of points X, Y, Z: `project`."""
    motion = source_from_target[:, :3].astype(points[0].dtype)
    camera = jnp.einsum("bij,bjk->bik", k.astype(motion.dtype), motion, precision="highest")
    u, v, w = (
        row[0] * points[0] + row[1] * points[1] + row[2] * points[2] + row[3] for row in _rows(camera, points[0])
    )
    return u / (w + eps), v / (w + eps)


def _rows(matrix: Float[Array, "B i j"], planes: Float[Array, "B *N H W"]) -> list[list[Array]]:
    """The matrix's entries, each shaped to apply to planes sample by sample."""
    shape = (-1, *(1,) * (planes.ndim - 1))
    entries = [[matrix[:, i, j] for j in range(matrix.shape[2])] for i in range(matrix.shape[1])]
    return [[entry.astype(planes.dtype).reshape(shape) for entry in row] for row in entries]


def _cell(x: Array, size: int) -> tuple[Int[Array, "..."], Array, Array]:
    """(first of the two pixels around x, the weight of the second, does the sample move with x)."""
    x = jnp.where(x <= 0, 0, jnp.where(x >= size - 1, size - 1, x))
    first = jnp.clip(jnp.floor(x).astype(jnp.int32), 0, size - 1)
    return first, x - first.astype(x.dtype), (x > 0) & (x < size - 1)
