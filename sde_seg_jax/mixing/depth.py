"""DepthMix: what is nearer than the other image, or about as near, is kept.

See METHOD 3, across domains METHOD 5, in docs/reference/method.md.
"""

from sde_seg_jax.mixing import masks
from sde_seg_jax.mixing.rule import Margins, Rule, Side


def mask(kept: Side, under: Side, key, margins: Margins):
    """[d_kept >= d_under - margin]."""
    return masks.depth_mix_mask(kept.disparity, under.disparity, margins(key, kept.disparity))


RULE = Rule(mask, reads_depth=True)
