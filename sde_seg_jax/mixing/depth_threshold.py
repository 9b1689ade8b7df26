"""What is nearer than a random threshold is kept, whatever is in the other image."""

from sde_seg_jax.mixing import masks
from sde_seg_jax.mixing.rule import Margins, Rule, Side


def mask(kept: Side, under: Side, key, margins: Margins):
    """`masks.depth_threshold_mask` of the kept images."""
    return masks.depth_threshold_mask(kept.disparity, key)


RULE = Rule(mask, reads_depth=True)
