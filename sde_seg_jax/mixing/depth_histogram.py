"""What is nearer than a threshold drawn from the image's own histogram of depth is kept."""

from sde_seg_jax.mixing import masks
from sde_seg_jax.mixing.rule import Margins, Rule, Side


def mask(kept: Side, under: Side, key, margins: Margins):
    """`masks.depth_histogram_mask` of the kept images."""
    return masks.depth_histogram_mask(kept.disparity, key)


RULE = Rule(mask, reads_depth=True)
