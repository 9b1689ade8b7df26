"""Dilation instead of strides: a convolution whose kernel gradient is one matrix product, and the strides that stay."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def output_strides(dilate: Sequence[bool]) -> tuple[int, ...]:
    """Image pixels per pixel of five maps of which the first has stride 2 and each of the others doubles it.

    `dilate`: of the last three, does dilation replace the stride?
    """
    strides = [2, 4]
    for dilated in dilate:
        strides.append(strides[-1] * (1 if dilated else 2))
    return tuple(strides)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def dilated_convolution(
    x: Float[Array, "B H W I"], kernel: Float[Array, "k k I O"], dilation: int
) -> Float[Array, "B H W O"]:
    """Convolution of stride 1 with `dilation` pixels between the taps of an odd, square kernel, zeros around `x`.

    y[h,w] = sum_ij x[h + (i - c) dilation, w + (j - c) dilation] K[i,j],  c = k // 2.

    The gradient to `kernel`, dK[i,j] = sum x[h,w]' dy[h - (i - c) dilation, w - (j - c) dilation], is computed as it
    is written: shifted copies of dy (of x, where it has fewer channels) in one product. As a convolution its window is
    as large as the map: XLA asks cuDNN for a backward-filter convolution only if the forward one is not dilated.
    """
    return _convolve(x, kernel, dilation)


def _convolve(x, kernel, dilation: int):
    margin = dilation * (kernel.shape[0] // 2)
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(1, 1),
        padding=[(margin, margin)] * 2,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _forward(x, kernel, dilation: int):
    return _convolve(x, kernel, dilation), (x, kernel)


def _backward(dilation: int, kept, dy):
    x, kernel = kept
    (dx,) = jax.linear_transpose(lambda x: _convolve(x, kernel, dilation), x)(dy)
    taps = kernel.shape[0]
    if x.shape[-1] < dy.shape[-1]:
        found = jnp.einsum("bhwti,bhwo->tio", _shifted(x, taps, dilation), dy)
    else:
        found = jnp.einsum("bhwi,bhwto->tio", x, _shifted(dy, taps, -dilation))
    return dx, found.reshape(kernel.shape)


dilated_convolution.defvjp(_forward, _backward)


def _shifted(maps: Float[Array, "B H W C"], taps: int, step: int) -> Float[Array, "B H W taps*taps C"]:
    """[..., i * taps + j, :] = maps[h + (i - c) step, w + (j - c) step], c = taps // 2, zero outside."""
    _, height, width, _ = maps.shape
    margin, reach = abs(step) * (taps // 2), step * (taps // 2)
    padded = jnp.pad(maps, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    starts = [margin - reach + step * i for i in range(taps)]
    return jnp.stack([padded[:, i : i + height, j : j + width] for i in starts for j in starts], axis=3)
