"""Rotary positions of patches (Su et al. 2021), in the two dimensions of an image as DINOv3 has them (Simeoni 2025)."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

BASE = 100.0  # of the periods


def rotation(size: tuple[int, int], channels: int) -> Float[np.ndarray, "2 hw c"]:
    """Cosine and sine of each patch's angles, for heads of `channels`.

    A patch's centre (y, x) lies in [-1, 1], whatever the image's size. angle = 2 pi position / 100^(4 i / channels), i
    from 0 to channels / 4, of y, then of x; the second half of the channels repeats them. Raises ValueError for
    channels that are no multiple of 4.
    """
    if channels % 4:
        raise ValueError(f"rotary positions need heads of a multiple of 4 channels, got {channels}; change model.width")
    places = np.stack(np.meshgrid(*(2 * (np.arange(n) + 0.5) / n - 1 for n in size), indexing="ij"), axis=-1)
    rates = 1 / BASE ** np.arange(0, 1, 4 / channels)
    angles = 2 * math.pi * places.reshape(-1, 2, 1) * rates
    angles = np.tile(angles.reshape(len(angles), -1), 2)
    return np.stack([np.cos(angles), np.sin(angles)])


def rotated(x: Float[Array, "B N h c"], turn: Float[Array, "2 P c"]) -> Float[Array, "B N h c"]:
    """The last P tokens of queries or keys, turned by their positions; those in front have none."""
    front = x.shape[1] - turn.shape[1]
    patches, half = x[:, front:], x.shape[-1] // 2
    cosine, sine = (part[None, :, None].astype(x.dtype) for part in turn)
    swapped = jnp.concatenate([-patches[..., half:], patches[..., :half]], axis=-1)
    return jnp.concatenate([x[:, :front], patches * cosine + swapped * sine], axis=1)
