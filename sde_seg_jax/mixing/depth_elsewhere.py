"""Masks with the shapes of DepthMix at the wrong place: those of the pair before in the batch.

What DepthMix gains over this is owed to the depth order, and not to the shapes and sizes of what is pasted. With one or
two images a batch there is no other pair of images: then it is DepthMix itself, or its opposite.
"""

import jax.numpy as jnp

from sde_seg_jax.mixing import depth
from sde_seg_jax.mixing.rule import Margins, Rule, Side


def mask(kept: Side, under: Side, key, margins: Margins):
    """The masks of `depth.mask`, each for the next pair."""
    return jnp.roll(depth.mask(kept, under, key, margins), 1, axis=0)


RULE = Rule(mask, reads_depth=True)
