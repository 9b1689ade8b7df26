"""Structural similarity as an error map, images in [0,1], with a gradient of its own."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

C1, C2 = 81 * 0.01**2, 81 * 0.03**2  # Wang et al. 2004, for a value range of 1; times 81 as all that they are added to
ROWS, COLUMNS = -2, -1  # axes of a plane [..., C, H, W]


def ssim_error(x: Float[Array, "*B H W C"], y: Float[Array, "*B H W C"]) -> Float[Array, "*B H W C"]:
    """clip((1 - SSIM(x, y)) / 2, 0, 1) over 3x3 windows, borders mirrored: 0 where equal, 1 where opposite.

    SSIM = (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sxx + syy + C2)); statistics are biased (divided
    by 9), as in the self-supervised depth literature. Leading axes broadcast where they are 1, so one
    target's statistics serve many predictions. Sides must be at least 2.

    Computed on planes [*B,C,H,W]: with three channels innermost nothing is vectorized.
    """
    x, y = (jnp.moveaxis(image, -1, -3) for image in (x, y))
    return jnp.moveaxis(ssim_error_of_planes(x, y), -3, -1)


@jax.custom_vjp
def ssim_error_of_planes(x: Float[Array, "*B H W"], y: Float[Array, "*B H W"]) -> Float[Array, "*B H W"]:
    """`ssim_error` of planes.

    Differentiated as it stands, every shifted copy would send back a padded map of its own. What arrives at a pixel p
    is sum_w g_w dE_w/dx_p = sum_w (a_w + b_w y_p + c_w x_p) over the windows that contain p: three window sums.
    """
    upper, lower, *_ = _factors(x, y)
    error = (1 - upper / lower) / 2
    # Not jnp.clip: at the bounds, met by equal images, its gradient is half of the reference's.
    return jnp.where(error < 0, 0, jnp.where(error > 1, 1, error))


def _forward(x, y):
    return ssim_error_of_planes(x, y), (x, y)


def _backward(images, gradient):
    """With S = A B / (C D), A and C of the means, B and D of the (co)variances, all times 81:

    dS/dx_p = 2 / (C D) (sy (B - A) - S sx (D - C) + 9 A y_p - 9 S C x_p) for p in the window.
    """
    x, y = images
    upper, lower, a, b, c, d, sum_x, sum_y = _factors(x, y)
    similarity = upper / lower
    weight = -gradient / lower  # 2 / (C D) times dE/dS = -1/2
    weight = jnp.where(jnp.abs(similarity) > 1, 0, weight)  # clipped
    to_other = _over_windows(9 * weight * a)
    to_itself = _over_windows(-9 * weight * similarity * c)

    def toward(x, y, sum_x, sum_y):
        constant = _over_windows(weight * (sum_y * (b - a) - similarity * sum_x * (d - c)))
        found = constant + to_other * _mirror_border(y) + to_itself * _mirror_border(x)
        found = _fold_border(found)
        return found.sum([i for i, n in enumerate(x.shape) if n != found.shape[i]], keepdims=True)

    return toward(x, y, sum_x, sum_y), toward(y, x, sum_y, sum_x)


ssim_error_of_planes.defvjp(_forward, _backward)


def _factors(x, y):
    """SSIM's numerator and denominator, their factors A, B and C, D, and the sums of x and y, of each window.

    All statistics are kept at 81 times their size (sums at 9 times), so that nothing is divided by 9, and (co)variances
    come from differences of neighbors: E[x^2] - E[x]^2 would cancel in smooth regions, where float32 leaves 1e-4
    of noise.
    """
    x, y = _mirror_border(x), _mirror_border(y)
    rows_x, rows_y = _sum3(x, COLUMNS), _sum3(y, COLUMNS)
    sum_x, sum_y = _sum3(rows_x, ROWS), _sum3(rows_y, ROWS)
    variances = _covariance(x, x, rows_x, rows_x) + _covariance(y, y, rows_y, rows_y)
    a, b = 2 * sum_x * sum_y + C1, 2 * _covariance(x, y, rows_x, rows_y) + C2
    c, d = sum_x * sum_x + sum_y * sum_y + C1, variances + C2
    return a * b, c * d, a, b, c, d, sum_x, sum_y


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
    return [lax.slice_in_dim(x, i, i + length, axis=axis) for i in range(count)]


def _over_windows(values):
    """At every pixel of the mirrored image the sum of the values [..., H, W] of the windows that contain it."""
    around = jnp.pad(values, [(0, 0)] * (values.ndim - 2) + [(2, 2), (2, 2)])
    return _sum3(_sum3(around, COLUMNS), ROWS)


def _mirror_border(x):
    if min(x.shape[ROWS:]) < 2:
        raise ValueError(f"expected sides of at least 2 pixels to mirror, got {x.shape[ROWS:]}; enlarge the image")
    for axis in (ROWS, COLUMNS):
        first, last = lax.slice_in_dim(x, 1, 2, axis=axis), lax.slice_in_dim(x, -2, -1, axis=axis)
        x = jnp.concatenate([first, x, last], axis=axis)
    return x


def _fold_border(x):
    """The transpose of `_mirror_border`: what the border got is added to the pixels that it mirrors."""
    for axis in (ROWS, COLUMNS):
        size = x.shape[axis] - 2
        inside = lax.slice_in_dim(x, 1, size + 1, axis=axis)
        for border, mirrored in ((0, 1), (size + 1, size - 2)):
            total = _at(inside, mirrored, axis) + _at(x, border, axis)
            inside = lax.dynamic_update_slice_in_dim(inside, total, mirrored, axis)
        x = inside
    return x


def _at(x, index, axis):
    return lax.slice_in_dim(x, index, index + 1, axis=axis)
