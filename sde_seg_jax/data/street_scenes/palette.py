"""Names of the classes, colours in linear RGB, and a choice among them."""

from __future__ import annotations

from sde_seg_jax.label_spaces import CITYSCAPES

(
    ROAD,
    SIDEWALK,
    BUILDING,
    WALL,
    FENCE,
    POLE,
    LIGHT,
    SIGN,
    VEGETATION,
    TERRAIN,
    SKY,
    PERSON,
    RIDER,
    CAR,
    TRUCK,
    BUS,
    TRAIN,
    MOTORCYCLE,
    BICYCLE,
) = range(len(CITYSCAPES.classes))

CAR_COLORS = (
    (0.5, 0.5, 0.52),
    (0.75, 0.75, 0.75),
    (0.03, 0.03, 0.035),
    (0.45, 0.03, 0.03),
    (0.04, 0.09, 0.35),
    (0.12, 0.13, 0.14),
    (0.05, 0.2, 0.1),
    (0.6, 0.45, 0.08),
    (0.25, 0.27, 0.3),
)
CLOTHES = (
    (0.35, 0.04, 0.04),
    (0.04, 0.07, 0.25),
    (0.03, 0.03, 0.03),
    (0.5, 0.5, 0.48),
    (0.1, 0.2, 0.08),
    (0.55, 0.4, 0.06),
    (0.2, 0.14, 0.1),
    (0.3, 0.08, 0.25),
    (0.06, 0.25, 0.3),
)
SKIN = ((0.55, 0.32, 0.22), (0.35, 0.18, 0.1), (0.16, 0.08, 0.05))
METAL = (0.16, 0.17, 0.17)
RUBBER = (0.02, 0.02, 0.02)


def pick(rng, options):
    """A uniform choice by `rng.random` alone, whose sequence Python guarantees across versions."""
    return options[int(rng.random() * len(options))]
