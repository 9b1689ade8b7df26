"""Several strong views of what is mixed, and channels that two of them share out (UniMatch V2, Yang et al. 2024).

Views lie one after the other along the batch axis: of B images and V views v * B + i is view v of image i. The student
sees all of them in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

COMPLEMENTARY = 1  # folded into a key

Tree = TypeVar("Tree")


def view_key(key: jax.Array, view: int) -> jax.Array:
    """The key of a view's own draws; that of the first is the key itself, as where there is one view only."""
    return key if view == 0 else jax.random.fold_in(key, view)


def stack_views(views: Sequence[Tree]) -> Tree:
    """Arrays [B,...] of each view -> [V*B,...]."""
    return views[0] if len(views) == 1 else jax.tree.map(lambda *x: jnp.concatenate(x), *views)


def over_views(function: Callable, views: int, *batches: Tree) -> jax.Array:
    """The mean of function(*batches) over the views, of trees of arrays [V*B,...]."""
    if views == 1:
        return function(*batches)
    parts = [jax.tree.map(lambda x, v=v: jnp.split(x, views)[v], batches) for v in range(views)]
    return sum(function(*part) for part in parts) / views


def channel_factors(network: Any, share: float, images: int, key: jax.Array) -> tuple[Array, ...] | None:
    """`complementary_factors` for the maps of a network's encoder and two views of `images`; None if the share is 0.

    The key may be that of dropout: these draws are others.
    """
    if not share:
        return None
    key = jax.random.fold_in(key, COMPLEMENTARY)
    return complementary_factors(key, network.maps.channels, images, share, alike=network.maps.tokens)


def complementary_factors(
    key: jax.Array, channels: Sequence[int], images: int, share: float = 0.5, *, alike: bool = True
) -> tuple[Float[Array, "2B c"], ...]:
    """Factors of each map's channels for two views of `images`: m and 2 - m, with m = 0 or 2, equally likely.

    What the first view lacks the second one sees, doubled. floor((1 - share) B) of the images, at random, keep all
    channels in both views. alike: one m for all maps, which then have as many channels, as tokens of several blocks of
    a transformer; otherwise each map has its own.
    """
    drawn, chosen = jax.random.split(key)
    dropped = jax.random.permutation(chosen, images) >= int(images * (1 - share))

    def factors(key, count):
        first = jnp.where(jax.random.bernoulli(key, 0.5, (images, count)), 2.0, 0.0)
        return jnp.concatenate([jnp.where(dropped[:, None], m, 1.0) for m in (first, 2 - first)])

    if alike:
        return (factors(drawn, channels[0]),) * len(channels)
    keys = jax.random.split(drawn, len(channels))
    return tuple(factors(key, count) for key, count in zip(keys, channels, strict=True))
