"""ClassMix: a random half of the classes in each image is kept (Olsson et al. 2021)."""

from sde_seg_jax.mixing import masks
from sde_seg_jax.mixing.rule import Margins, Rule, Side


def mask(kept: Side, under: Side, key, margins: Margins):
    """`masks.class_mix_mask` of the kept images' classes; across domains those are the source's ground truth.

    See Q20 in docs/record/differences.md.
    """
    return masks.class_mix_mask(kept.classes, key, kept.num_classes)


RULE = Rule(mask)
