"""Structural similarity as an error map, images in [0,1]."""

import jax.numpy as jnp
from jaxtyping import Array, Float

C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, for a value range of 1
ROWS, COLUMNS = -3, -2  # axes of [..., H, W, C]


def ssim_error(x: Float[Array, "*B H W C"], y: Float[Array, "*B H W C"]) -> Float[Array, "*B H W C"]:
    """clip((1 - SSIM(x, y)) / 2, 0, 1) over 3x3 windows, borders mirrored: 0 where equal, 1 where opposite.

    SSIM = (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sxx + syy + C2)); statistics are biased (divided
    by 9), as in the self-supervised depth literature. Leading axes broadcast where they are 1, so one
    target's statistics serve many predictions. Sides must be at least 2.

    All statistics are kept at 81 times their size, so that nothing is divided by 9, and (co)variances come
    from differences of neighbors: E[x^2] - E[x]^2 would cancel in smooth regions, where float32 leaves 1e-4
    of noise.
    """
    x, y = _mirror_border(x), _mirror_border(y)
    rows_x, rows_y = _sum3(x, COLUMNS), _sum3(y, COLUMNS)
    sum_x, sum_y = _sum3(rows_x, ROWS), _sum3(rows_y, ROWS)
    covariance = _covariance(x, y, rows_x, rows_y)
    variances = _covariance(x, x, rows_x, rows_x) + _covariance(y, y, rows_y, rows_y)
    numerator = (2 * sum_x * sum_y + 81 * C1) * (2 * covariance + 81 * C2)
    denominator = (sum_x * sum_x + sum_y * sum_y + 81 * C1) * (variances + 81 * C2)
    error = (1 - numerator / denominator) / 2
    # Not jnp.clip: at the bounds, met by equal images, its gradient is half of the reference's.
    return jnp.where(error < 0, 0, jnp.where(error > 1, 1, error))


def _covariance(x, y, rows_x, rows_y):
    """9 sum(xy) - sum(x) sum(y) of each window: the spread within its rows and that between its row sums."""
    return 3 * _sum3(_spread3(x, y, COLUMNS), ROWS) + _spread3(rows_x, rows_y, ROWS)


def _spread3(x, y, axis):
    """3 sum(xy) - sum(x) sum(y) of three neighbors = the products of their three differences, added."""
    x1, x2 = _neighbors(jnp.diff(x, axis=axis), 2, axis)
    y1, y2 = _neighbors(jnp.diff(y, axis=axis), 2, axis)
    return x1 * y1 + x2 * y2 + (x1 + x2) * (y1 + y2)


def _sum3(x, axis):
    return sum(_neighbors(x, 3, axis))


def _neighbors(x, count, axis):
    length = x.shape[axis] - count + 1
    axis %= x.ndim
    return [x[(slice(None),) * axis + (slice(i, i + length),)] for i in range(count)]


def _mirror_border(x):
    if min(x.shape[ROWS : COLUMNS + 1]) < 2:
        raise ValueError(f"expected sides of at least 2 pixels to mirror, got {x.shape[-3:-1]}; enlarge the image")
    x = jnp.concatenate([x[..., 1:2, :, :], x, x[..., -2:-1, :, :]], axis=ROWS)
    return jnp.concatenate([x[..., 1:2, :], x, x[..., -2:-1, :]], axis=COLUMNS)
