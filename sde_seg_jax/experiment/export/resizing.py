"""Resizing images to what the network sees, inside the exported function: as OpenCV's INTER_AREA, rounded like it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real


def resize_area(image: Real[Array, "B H W 3"], size: tuple[int, int]) -> Real[Array, "B h w 3"]:
    """Means over the area of each new pixel, rounded; an image that has the size already is left alone.

    A float image, which somebody differentiates by, is not rounded.

    As `cv2.resize(..., interpolation=cv2.INTER_AREA)` up to one grey level of rounding, if both sides shrink or both
    grow. The image's sides may be symbolic dimensions of `jax.export`.
    """
    if image.shape[1:3] == size:
        return image
    x = image.astype(jnp.float32)
    for axis, spec in ((1, "ih,bhwc->biwc"), (2, "jw,bhwc->bhjc")):
        x = jnp.einsum(spec, _weights(image.shape[axis], size[axis - 1]), x, precision="highest")
    return jnp.round(x).astype(jnp.uint8) if image.dtype == jnp.uint8 else x


def _weights(old: Any, new: int) -> Float[Array, "new old"]:
    """The share of each old pixel in each new one, whose sum is 1; `old` may be symbolic.

    In units of 1/new of an old pixel all borders are integers: new pixel i covers [i old, (i + 1) old].
    """
    numbers = np if isinstance(old, int) else jnp
    begins = (numbers.arange(new, dtype=np.int32) * old)[:, None]
    lies = (numbers.arange(old, dtype=np.int32) * new)[None]
    both = numbers.minimum(begins + old, lies + new) - numbers.maximum(begins, lies)
    shares = numbers.maximum(both, 0).astype(np.float32)
    if isinstance(old, int):
        return jnp.asarray(shares / np.float32(old))
    return shares / jax.lax.convert_element_type(old, jnp.float32)
