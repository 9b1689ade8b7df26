"""Trees, bushes, lamps, bollards, signs and signals.

Every function adds one group to `parts` at street position (lateral, along); lengths are metres.
"""

from __future__ import annotations

from sde_seg_jax.data.street_scenes import parts as p
from sde_seg_jax.data.street_scenes.palette import (
    LIGHT,
    METAL,
    POLE,
    SIGN,
    VEGETATION,
    pick,
)


def tree(parts, rng, lateral, along, size=1.0):
    """A broad-leaved tree of overlapping crown ellipsoids, or now and then a conifer."""
    green = pick(rng, ((0.09, 0.2, 0.04), (0.06, 0.14, 0.03), (0.14, 0.22, 0.05), (0.2, 0.19, 0.05)))
    trunk = (0.11, 0.075, 0.05)
    leaf = {"material": p.FOLIAGE, "contrast": 1.0}
    stem = rng.uniform(2.0, 2.8) * size
    if rng.random() < 0.2:
        parts.group(lateral, along, rng.uniform(-1, 1), shadow=(1.3 * size, 1.3 * size, 3 * size, 3 * size))
        parts.box((0, 1, 0), (0.13, 1, 0.13), trunk, VEGETATION, contrast=0.5, texel=0.01)
        for k in range(3):
            half = ((1.7 - 0.4 * k) * size, 1.3 * size, (1.7 - 0.4 * k) * size)
            parts.box((0, (1.9 + 1.5 * k) * size, 0), half, green, VEGETATION, taper=(0.9, 0.9), texel=0.04, **leaf)
        return
    radius = rng.uniform(1.3, 1.9) * size
    parts.group(lateral, along, rng.uniform(-1, 1), shadow=(radius * 1.3, radius * 1.3, stem + radius, radius))
    parts.box(
        (0, stem / 2 + 0.2, 0),
        (0.15 * size, stem / 2 + 0.4, 0.15 * size),
        trunk,
        VEGETATION,
        contrast=0.5,
        texel=0.01,
    )
    for k in range(6):
        x, z = rng.uniform(-0.75, 0.75) * radius, rng.uniform(-0.75, 0.75) * radius
        up = stem + radius * (0.35 + 0.27 * k)
        r = radius * rng.uniform(0.6, 0.9) * (1 - 0.05 * k)
        shade = 0.75 + 0.1 * k
        parts.ball((x, up, z), (r, r * 0.8, r), tuple(shade * g for g in green), VEGETATION, texel=0.035, **leaf)


def bush(parts, rng, lateral, along, size=0.7):
    """A low round shrub."""
    green = pick(rng, ((0.1, 0.18, 0.04), (0.06, 0.13, 0.03), (0.15, 0.2, 0.06)))
    parts.group(lateral, along, rng.uniform(-1, 1), shadow=(size, size, size / 2, size / 2))
    for x in (-0.5, 0.5):
        half = (size * rng.uniform(0.6, 0.9), size * 0.8, size * rng.uniform(0.6, 0.9))
        parts.ball((x * size, size * 0.6, 0), half, green, VEGETATION, material=p.FOLIAGE, contrast=1.0, texel=0.02)


def lamp(parts, rng, lateral, along, towards):
    """A street lamp whose arm points to the road (`towards` = -1 or +1)."""
    height = rng.uniform(6.0, 7.5)
    parts.group(lateral, along, shadow=(0.08, 0.08, height / 2, height / 2))
    parts.box((0, height / 2, 0), (0.085, height / 2, 0.085), METAL, POLE, taper=(0.4, 0.4), contrast=0.2)
    parts.box((towards * 0.8, height, 0), (0.85, 0.05, 0.05), METAL, POLE)
    parts.box((towards * 1.5, height - 0.06, 0), (0.35, 0.07, 0.13), (0.5, 0.5, 0.45), POLE)


def bollard(parts, rng, lateral, along):
    """A short post at the kerb."""
    parts.group(lateral, along, shadow=(0.08, 0.08, 0.5, 0.5))
    parts.box((0, 0.6, 0), (0.07, 0.5, 0.07), pick(rng, (METAL, (0.4, 0.04, 0.03), (0.5, 0.5, 0.5))), POLE)


def sign(parts, rng, lateral, along):
    """A round, square or triangular traffic sign facing the driver, on its pole."""
    parts.group(lateral, along, rng.uniform(-0.06, 0.06), shadow=(0.3, 0.05, 2.3, 0.4))
    parts.box((0, 1.35, 0), (0.04, 1.35, 0.04), METAL, POLE)
    look = {"material": p.PLATE, "contrast": 0.05}
    kind = int(rng.random() * 4)
    color = pick(rng, ((0.6, 0.03, 0.03), (0.04, 0.12, 0.5), (0.65, 0.5, 0.03)))
    if kind == 0:
        parts.ball((0, 2.55, -0.06), (0.4, 0.4, 0.04), color, SIGN, **look)
    elif kind == 1:
        parts.box((0, 2.6, -0.06), (0.45, 0.4, 0.02), (0.6, 0.03, 0.03), SIGN, taper=(0.92, 0), **look)
    elif kind == 2:
        parts.box((0, 2.5, -0.06), (0.36, 0.36, 0.02), (0.04, 0.12, 0.5), SIGN, **look)
    else:
        parts.box((0, 2.35, -0.06), (0.75, 0.4, 0.02), color, SIGN, **look)


def traffic_light(parts, rng, lateral, along, towards):
    """A signal head on a pole, and one on an arm over the road."""
    phase = pick(rng, (0.0, 2.0))
    parts.group(lateral, along, shadow=(0.1, 0.1, 2.0, 2.0))
    parts.box((0, 1.75, 0), (0.08, 1.75, 0.08), METAL, POLE)
    look = {"material": p.SIGNALS, "param": (phase, 0, 0, 0), "contrast": 0.05}
    parts.box((0, 3.1, -0.18), (0.18, 0.52, 0.13), (0.02, 0.025, 0.02), LIGHT, **look)
    if rng.random() < 0.7:
        parts.box((0, 4.6, 0), (0.08, 1.1, 0.08), METAL, POLE)
        parts.box((towards * 1.8, 5.6, 0), (1.8, 0.06, 0.06), METAL, POLE)
        parts.box((towards * 3.2, 5.25, -0.16), (0.2, 0.55, 0.13), (0.02, 0.025, 0.02), LIGHT, **look)
