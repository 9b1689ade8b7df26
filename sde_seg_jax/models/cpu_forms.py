"""Exact forms of a convolution that a CPU runs faster than XLA's own, which `convolution` chooses by shape.

XLA:CPU computes a kernel's gradient as a convolution whose window is the whole map and whose channels are the batch,
and one of 1x1 pixel no other way than larger ones. docs/performance.md has the figures, `benchmarks/convolutions.py`
measures them on the machine at hand.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.precision import at_least_float32

CACHE = 8 * 2**20  # bytes


def pointwise(stride: int, x: Float[Array, "B H W I"], kernel: Float[Array, "1 1 I O"]) -> Float[Array, "B h w O"]:
    """A convolution of 1x1 pixel, as one product."""
    return jnp.einsum("bhwi,io->bhwo", x[:, ::stride, ::stride], kernel[0, 0])


def kernel_gradient(
    padded: Float[Array, "B H W I"], dy: Float[Array, "B h w O"], taps: int, stride: int
) -> Float[Array, "taps taps I O"]:
    """The gradient to the kernel of a convolution of a padded map, as products.

    With row a = stride q + p of the kernel,
    dK[a,c] = sum_hw x[stride (h + q) + p, stride w + c]' dy[h, w] = sum_yw X_p[y,w,c]' D[y,w,q],
    X_p[y,w,c] = x[stride y + p, stride w + c], D[y,w,q] = dy[y - q, w]: columns are shifted on one side, rows on the
    other, so that each is copied as often as the kernel is wide, not as it has pixels. Copies that would not stay in
    the cache are made image by image.
    """
    if taps == 1:
        return jnp.einsum("bhwi,bhwo->io", padded[:, ::stride, ::stride], dy)[None, None]
    shifts = [len(range(phase, taps, stride)) for phase in range(min(stride, taps))]

    def products(x, dy):
        return [_rows(x, dy, taps, stride, phase, count) for phase, count in enumerate(shifts)]

    if taps * (padded.size + dy.size) * dy.itemsize <= CACHE:
        found = products(padded, dy)
    else:
        first, rest = products(padded[:1], dy[:1]), (padded[1:], dy[1:])
        more = lambda total, image: (jax.tree.map(jnp.add, total, products(*(a[None] for a in image))), None)  # noqa: E731
        found, _ = lax.scan(more, first, rest)
    return jnp.stack([found[row % stride][row // stride] for row in range(taps)]).astype(dy.dtype)


def _rows(x, dy, taps: int, stride: int, phase: int, shifts: int) -> jax.Array:
    """dK[phase + stride q] for all q: [shifts taps I O]."""
    _, height, width, _ = dy.shape
    rows = x[:, phase::stride][:, : height + shifts - 1]
    columns = jnp.stack([rows[:, :, c : c + stride * (width - 1) + 1 : stride] for c in range(taps)], axis=3)
    moved = [jnp.pad(dy, ((0, 0), (q, shifts - 1 - q), (0, 0), (0, 0))) for q in range(shifts)]
    wide = at_least_float32(x).dtype
    return jnp.einsum("bywci,bywqo->qcio", columns, jnp.stack(moved, axis=3), preferred_element_type=wide)
