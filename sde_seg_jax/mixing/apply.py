"""Mixing two images, and everything that belongs to their pixels, by a mask."""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

Tree = TypeVar("Tree")


def next_in_batch(tree: Tree, steps: int = 1) -> Tree:
    """The mixing partner of each sample, j = (i+steps) mod B, in every array [B,...] of a pytree."""
    return jax.tree.map(lambda x: jnp.roll(x, -steps, axis=0), tree) if steps else tree


def paste(a: Tree, b: Tree, mask: Bool[Array, "B H W 1"]) -> Tree:
    """M*a + (1-M)*b on images and softmax maps [B,H,W,C] and on labels and weights [B,H,W], of any dtype.

    `a` and `b` are arrays or pytrees of the same structure; the mask is bool or 0 and 1 (1 takes `a`).
    Selecting instead of multiplying is exact, keeps integers, and a NaN of the hidden pixel stays hidden.
    Raises ValueError if an array's first three axes are not the mask's.
    """
    if mask.ndim != 4 or mask.shape[-1] != 1:
        raise ValueError(f"expected a mask [B,H,W,1], got {mask.shape}")
    mask = mask.astype(bool)

    def select(x, y):
        if x.ndim not in (3, 4) or x.shape[:3] != mask.shape[:3]:
            raise ValueError(
                f"expected arrays [B,H,W] or [B,H,W,C] with {mask.shape[:3]} of the mask, got {x.shape}; "
                "resize predictions to the image first, and leave values without pixels out of the tree"
            )
        return jnp.where(mask if x.ndim == 4 else mask[..., 0], x, y)

    return jax.tree.map(select, a, b)
