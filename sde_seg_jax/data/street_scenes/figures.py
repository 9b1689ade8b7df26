"""People, bicycles and motorcycles.

Every function adds one group to `parts` at street position (lateral, along); lengths are metres.
"""

from __future__ import annotations

from sde_seg_jax.data.street_scenes import parts as p
from sde_seg_jax.data.street_scenes.palette import (
    BICYCLE,
    CAR_COLORS,
    CLOTHES,
    METAL,
    MOTORCYCLE,
    PERSON,
    RIDER,
    RUBBER,
    SKIN,
    pick,
)


def _figure(parts, rng, label, height=0.0, lean=0.0, stride=0.0):
    """Legs, torso, arms and head of an upright (lean 0) or riding person, feet `height` above the road."""
    shirt, trousers, skin = pick(rng, CLOTHES), pick(rng, CLOTHES), pick(rng, SKIN)
    cloth = {"contrast": 0.35, "texel": 0.012}
    for x, swing in ((-0.1, stride), (0.1, -stride)):
        leg = {"rotation": p.pitched(swing), "taper": (-0.35, -0.35), **cloth}
        parts.box((x, height + 0.43, swing * 0.45), (0.08, 0.44, 0.09), trousers, label, **leg)
        parts.box((x, height + 0.05, swing * 0.9 + 0.05), (0.07, 0.05, 0.14), RUBBER, label)
    torso = {"rotation": p.pitched(-lean / 2), "taper": (-0.25, -0.1), **cloth}
    parts.box((0, height + 1.14, 0.3 * lean), (0.18, 0.32, 0.12), shirt, label, **torso)
    for x, swing in ((-0.26, -stride), (0.26, stride)):
        arm = {"rotation": p.pitched(swing - lean), "taper": (-0.2, -0.2), **cloth}
        parts.box((x, height + 1.13, 0.5 * lean + swing * 0.3), (0.05, 0.31, 0.06), shirt, label, **arm)
    parts.ball((0, height + 1.6, 0.65 * lean), (0.1, 0.135, 0.12), skin, label, contrast=0.2, texel=0.01)
    hair = pick(rng, ((0.03, 0.02, 0.015), (0.12, 0.06, 0.02), (0.3, 0.2, 0.06)))
    parts.ball((0, height + 1.65, 0.65 * lean - 0.03), (0.108, 0.105, 0.11), hair, label, texel=0.01)


def person(parts, rng, lateral, along, turn=0.0, speed=0.0, drift=0.0):
    """A pedestrian."""
    parts.group(lateral, along, turn, speed, drift, shadow=(0.25, 0.25, 0.9, 0.85))
    _figure(parts, rng, PERSON, height=0.13, stride=rng.uniform(0.05, 0.22))


def bicycle(parts, rng, lateral, along, turn=0.0, speed=0.0, ridden=False):
    """A bicycle, with its rider if `ridden`."""
    color = pick(rng, CLOTHES)
    parts.group(lateral, along, turn, speed, shadow=(0.2, 0.8, 0.6, 0.6))
    for z in (-0.52, 0.52):
        parts.ball((0, 0.34, z), (0.035, 0.34, 0.34), RUBBER, BICYCLE, material=p.WHEEL)
    parts.box((0, 0.62, 0.02), (0.03, 0.04, 0.42), color, BICYCLE, rotation=p.pitched(0.12))
    parts.box((0, 0.5, 0.12), (0.03, 0.035, 0.36), color, BICYCLE, rotation=p.pitched(-0.35))
    parts.box((0, 0.66, -0.22), (0.03, 0.3, 0.035), color, BICYCLE, rotation=p.pitched(0.1))
    parts.box((0, 0.7, 0.47), (0.03, 0.34, 0.035), color, BICYCLE, rotation=p.pitched(0.1))
    parts.box((0, 1.02, 0.42), (0.27, 0.03, 0.04), RUBBER, BICYCLE)
    parts.box((0, 0.96, -0.27), (0.07, 0.035, 0.13), RUBBER, BICYCLE)
    if ridden:
        _figure(parts, rng, RIDER, height=0.28, lean=0.3, stride=0.15)


def motorcycle(parts, rng, lateral, along, turn=0.0, speed=0.0, ridden=False):
    """A motorcycle or scooter, with its rider if `ridden`."""
    color = pick(rng, CAR_COLORS)
    parts.group(lateral, along, turn, speed, shadow=(0.3, 1.0, 0.6, 0.6))
    for z in (-0.68, 0.68):
        parts.ball((0, 0.32, z), (0.09, 0.32, 0.32), RUBBER, MOTORCYCLE, material=p.WHEEL)
    parts.box((0, 0.52, -0.02), (0.15, 0.22, 0.46), METAL, MOTORCYCLE, taper=(0.2, -0.2))
    parts.ball((0, 0.8, 0.2), (0.17, 0.17, 0.34), color, MOTORCYCLE, contrast=0.1)
    parts.box((0, 0.8, -0.4), (0.14, 0.07, 0.4), RUBBER, MOTORCYCLE)
    parts.box((0, 0.72, 0.58), (0.07, 0.4, 0.06), color, MOTORCYCLE, rotation=p.pitched(0.2))
    parts.box((0, 1.06, 0.42), (0.36, 0.03, 0.04), RUBBER, MOTORCYCLE)
    if ridden:
        _figure(parts, rng, RIDER, height=0.2, lean=0.22, stride=0.2)
