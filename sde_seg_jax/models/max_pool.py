"""Max pooling whose gradient gathers instead of scattering."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

TAPS, STRIDE, MARGIN = 3, 2, 1


@jax.custom_vjp
def max_pool(x: Float[Array, "B H W C"]) -> Float[Array, "B H/2 W/2 C"]:
    """3x3 maximum with stride 2; outside the image is minus infinity; odd sides are rounded up.

    The gradient goes to the first maximum of a window, rows before columns, as PyTorch has it. Each pixel adds up what
    the windows that contain it pass on: XLA's own gradient scatters instead, on a GPU with atomic additions, and keeps
    32-bit positions where a byte will do.
    """
    return _pool(x)[0]


def _pool(x):
    """The maxima, and in which tap of its window each was found first."""
    height, width = x.shape[1:3]
    rows, columns = _outputs(height), _outputs(width)
    edges = [(MARGIN, STRIDE * (n - 1) + TAPS - MARGIN - size, 0) for n, size in ((rows, height), (columns, width))]
    padded = lax.pad(x, jnp.array(-jnp.inf, x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    best = found = None
    for number, (i, j) in enumerate(_taps()):
        tap = padded[:, i : i + STRIDE * rows - 1 : STRIDE, j : j + STRIDE * columns - 1 : STRIDE]
        if best is None:
            best, found = tap, jnp.zeros(tap.shape, jnp.uint8)
            continue
        larger = (tap > best) | jnp.isnan(tap)  # NaN wins, so that it is seen
        best, found = jnp.where(larger, tap, best), jnp.where(larger, jnp.uint8(number), found)
    return best, found


def _forward(x):
    best, found = _pool(x)
    return best, (found, x)  # x for its shape alone: the compiler does not keep it


def _backward(kept, dy):
    found, x = kept
    zero = jnp.zeros((), dy.dtype)
    dx = jnp.zeros(x.shape, dy.dtype)
    for number, taps in enumerate(_taps()):
        edges = [
            (tap - MARGIN, size - (tap - MARGIN) - (STRIDE * (_outputs(size) - 1) + 1), STRIDE - 1)
            for tap, size in zip(taps, x.shape[1:3], strict=True)
        ]
        passed = jnp.where(found == number, dy, zero)
        dx = dx + lax.pad(passed, zero, [(0, 0, 0), *edges, (0, 0, 0)])
    return (dx,)


max_pool.defvjp(_forward, _backward)


def _outputs(size: int) -> int:
    return (size + 2 * MARGIN - TAPS) // STRIDE + 1


def _taps() -> list[tuple[int, int]]:
    return [(i, j) for i in range(TAPS) for j in range(TAPS)]
