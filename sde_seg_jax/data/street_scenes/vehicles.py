"""Cars, buses and trucks, built from a few frusta and ellipsoids each.

Every function adds one group to `parts` at street position (lateral, along); lengths are metres.
"""

from __future__ import annotations

from sde_seg_jax.data.street_scenes import parts as p
from sde_seg_jax.data.street_scenes.palette import (
    BUS,
    CAR,
    CAR_COLORS,
    METAL,
    RUBBER,
    TRUCK,
    pick,
)


def car(parts, rng, lateral, along, turn=0.0, speed=0.0):
    """A hatchback, saloon or van; `turn` is large for oncoming cars (tan of half the yaw)."""
    color, van = pick(rng, CAR_COLORS), rng.random() < 0.15
    length, width = rng.uniform(1.9, 2.35), rng.uniform(0.84, 0.92)
    roof = 1.95 if van else rng.uniform(1.4, 1.55)
    parts.group(lateral, along, turn, speed, shadow=(width, length, roof / 2, roof / 2))
    side = {"material": p.BODY, "contrast": 0.12, "param": (length, 0, 0, 0)}
    parts.box((0, 0.56, 0), (width, 0.34, length), color, CAR, taper=(0.06, 0.03), **side)
    back, front = -length * 0.92, length * (0.78 if van else rng.uniform(0.3, 0.45))
    cabin = (width * 0.94, (roof - 0.88) / 2, (front - back) / 2)
    taper = (0.2, 0.18) if van else (0.26, rng.uniform(0.3, 0.5))
    middle = (0, (roof + 0.88) / 2, (front + back) / 2)
    parts.box(middle, cabin, color, CAR, material=p.CABIN, taper=taper, contrast=0.12, param=(0.06, 0.88, 0, 0))
    for x in (-width + 0.09, width - 0.09):
        for z in (-length * 0.62, length * 0.62):
            parts.ball((x, 0.33, z), (0.14, 0.33, 0.33), RUBBER, CAR, material=p.WHEEL)


def coach(parts, rng, lateral, along, turn=0.0, speed=0.0):
    """A city bus."""
    color = pick(rng, ((0.5, 0.05, 0.04), (0.55, 0.4, 0.05), (0.05, 0.2, 0.35), (0.6, 0.6, 0.58)))
    parts.group(lateral, along, turn, speed, shadow=(1.25, 5.5, 1.5, 1.5))
    parts.box((0, 1.7, 0), (1.25, 1.4, 5.5), color, BUS, material=p.COACH, taper=(0.03, 0.01), contrast=0.1)
    for x in (-1.16, 1.16):
        for z in (-3.2, 3.4):
            parts.ball((x, 0.48, z), (0.16, 0.48, 0.48), RUBBER, BUS, material=p.WHEEL)


def truck(parts, rng, lateral, along, turn=0.0, speed=0.0):
    """A delivery truck: cab in front, a cargo box behind."""
    color, cargo = pick(rng, CAR_COLORS), pick(rng, ((0.6, 0.6, 0.58), (0.5, 0.35, 0.1), (0.08, 0.2, 0.35)))
    parts.group(lateral, along, turn, speed, shadow=(1.15, 3.4, 1.5, 1.5))
    parts.box((0, 1.95, -0.9), (1.15, 1.2, 2.4), cargo, TRUCK, contrast=0.25, texel=0.02)
    parts.box(
        (0, 1.45, 2.35),
        (1.05, 0.95, 0.8),
        color,
        TRUCK,
        material=p.CABIN,
        taper=(0.05, 0.25),
        contrast=0.1,
        param=(0.5, 0.9, 0, 0),
    )
    parts.box((0, 0.6, 0), (1.0, 0.15, 3.1), METAL, TRUCK)
    for x in (-1.0, 1.0):
        for z in (-2.2, 2.1):
            parts.ball((x, 0.45, z), (0.16, 0.45, 0.45), RUBBER, TRUCK, material=p.WHEEL)
