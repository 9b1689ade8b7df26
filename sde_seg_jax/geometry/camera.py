"""What cropping, resizing and flipping an image does to its camera (decision 2 in docs/record/differences.md).

Pixel centres are integers: pixel i covers [i-0.5, i+0.5], an image of width W spans [-0.5, W-0.5]. Works
alike on Python numbers, NumPy arrays (the host) and jax arrays (the device); sizes are (height, width).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sde_seg_jax.types import Intrinsics

CENTRE_RANGE = 0.25  # how far a learnt centre can lie from the nominal one, in nominal focal lengths


def matrix(intrinsics: Intrinsics) -> Float[Array, "*B 3 3"]:
    """K: homogeneous pixels (x, y, 1) of a point, up to its depth."""
    i = intrinsics
    return _rows(i, [(i.fx, 0, i.cx), (0, i.fy, i.cy), (0, 0, 1)])


def inverse_matrix(intrinsics: Intrinsics) -> Float[Array, "*B 3 3"]:
    """K^-1 in closed form: the ray at depth 1 through a homogeneous pixel."""
    i = intrinsics
    return _rows(i, [(1 / i.fx, 0, -i.cx / i.fx), (0, 1 / i.fy, -i.cy / i.fy), (0, 0, 1)])


def resize(intrinsics: Intrinsics, from_size: tuple[int, int], to_size: tuple[int, int]) -> Intrinsics:
    """The camera of the resized image: f -> f s and, because edges map to edges, c -> (c + 0.5) s - 0.5."""
    sy, sx = to_size[0] / from_size[0], to_size[1] / from_size[1]
    i = intrinsics
    return i.replace(fx=i.fx * sx, fy=i.fy * sy, cx=(i.cx + 0.5) * sx - 0.5, cy=(i.cy + 0.5) * sy - 0.5)


def crop(intrinsics: Intrinsics, top, left) -> Intrinsics:
    """The camera of the image without its first `top` rows and `left` columns (numbers or [B] arrays)."""
    return intrinsics.replace(cx=intrinsics.cx - left, cy=intrinsics.cy - top)


def flip(intrinsics: Intrinsics, width: int) -> Intrinsics:
    """The camera of the horizontally mirrored image: c_x -> W-1-c_x; rows keep their place, so c_y stays."""
    return intrinsics.replace(cx=width - 1 - intrinsics.cx)


def refine(nominal: Intrinsics, change: Float[Array, "B n"]) -> Intrinsics:
    """The camera that differs from a nominal one by learnt numbers; zeros give the nominal one exactly.

    n=1 (a): f = f_nominal exp(a) along both axes, so that a pixel keeps its proportions, which are known from how the
    image was resized. n=4 (a_x, a_y, b_x, b_y): f = f_nominal exp(a), c = c_nominal + CENTRE_RANGE f_nominal tanh(b)
    along each axis. The shift counts in focal lengths because, unlike the image's size, these survive a crop: so the
    same numbers hold for a crop and for the whole image, and a nominal camera that was resized, cropped or (n=1)
    mirrored is corrected alike.
    """
    if change.shape[1] == 1:
        change = jnp.concatenate([change, change, jnp.zeros_like(change), jnp.zeros_like(change)], axis=1)
    focal, shift = jnp.exp(change[:, :2]), CENTRE_RANGE * jnp.tanh(change[:, 2:])
    return Intrinsics(
        fx=nominal.fx * focal[:, 0],
        fy=nominal.fy * focal[:, 1],
        cx=nominal.cx + nominal.fx * shift[:, 0],
        cy=nominal.cy + nominal.fy * shift[:, 1],
    )


def field_of_view(intrinsics: Intrinsics, size: tuple[int, int]) -> tuple[Array, Array]:
    """(horizontal, vertical) angle in degrees between opposite edges of an image of size (height, width)."""
    i, (height, width) = intrinsics, size
    return _angle(i, i.fx, i.cx, width), _angle(i, i.fy, i.cy, height)


def _angle(intrinsics, focal, centre, length):
    xp = _namespace(intrinsics)
    radians = xp.arctan((centre + 0.5) / focal) + xp.arctan((length - 0.5 - centre) / focal)
    return radians * (180 / math.pi)


def _rows(intrinsics, rows):
    xp, fx = _namespace(intrinsics), intrinsics.fx
    as_array = [[xp.zeros_like(fx) + entry for entry in row] for row in rows]
    return xp.stack([xp.stack(row, -1) for row in as_array], -2)


def _namespace(intrinsics):
    return jnp if isinstance(intrinsics.fx, jax.Array) else np
