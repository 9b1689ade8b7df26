"""Logits of a large image from windows that slide over it."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sde_seg_jax.evaluation.protocols.sizes import Size


def starts(length: int, window: int, stride: int) -> list[int]:
    """First pixels of the windows along a side; the last is shifted back so that it ends with the image.

    As in mmsegmentation's slide_inference (`EncoderDecoder`, test_cfg mode="slide").
    """
    count = max(length - window + stride - 1, 0) // stride + 1
    return [min(i * stride, length - window) for i in range(count)]


def slide(
    logits: Callable[[Float[Array, "B h w 3"]], Float[Array, "B h w C"]],
    image: Float[Array, "B H W 3"],
    window: Size,
    stride: Size,
) -> Float[Array, "B H W C"]:
    """The mean, pixel by pixel, of the logits of all windows that cover it.

    `logits` gives those of a window at its size. The window must not be larger than the image. The network is compiled
    once, however many windows there are.
    """
    batch, height, width, _ = image.shape
    rows, columns = starts(height, window[0], stride[0]), starts(width, window[1], stride[1])
    corners = np.array([(row, column) for row in rows for column in columns], np.int32)
    counts = np.zeros((height, width), np.float32)
    for row, column in corners:
        counts[row : row + window[0], column : column + window[1]] += 1
    shape = jax.ShapeDtypeStruct((batch, *window, image.shape[3]), image.dtype)
    found = jax.eval_shape(logits, shape)
    zero, places = jnp.int32(0), jnp.asarray(corners)

    def add(i, total):
        corner = (zero, places[i, 0], places[i, 1], zero)
        part = logits(jax.lax.dynamic_slice(image, corner, shape.shape))
        here = jax.lax.dynamic_slice(total, corner, found.shape)
        return jax.lax.dynamic_update_slice(total, here + part, corner)

    total = jax.lax.fori_loop(0, len(corners), add, jnp.zeros((batch, height, width, found.shape[3]), found.dtype))
    return total / jnp.asarray(counts, total.dtype)[None, :, :, None]
