"""Both sides of a street: houses, and gardens behind walls, fences and hedges. Lengths are metres."""

from __future__ import annotations

import numpy as np

from sde_seg_jax.data.street_scenes import objects
from sde_seg_jax.data.street_scenes import parts as p
from sde_seg_jax.data.street_scenes.palette import BUILDING, CLOTHES, FENCE, VEGETATION, WALL, pick
from sde_seg_jax.data.street_scenes.style import END, START

FACADES = (
    (0.42, 0.36, 0.28),
    (0.5, 0.46, 0.4),
    (0.38, 0.22, 0.15),
    (0.3, 0.3, 0.3),
    (0.45, 0.3, 0.2),
    (0.28, 0.13, 0.09),
    (0.55, 0.5, 0.38),
    (0.3, 0.36, 0.38),
    (0.5, 0.36, 0.3),
)
ROOFS = ((0.28, 0.1, 0.06), (0.12, 0.12, 0.13), (0.2, 0.09, 0.06))


def _house(parts, rng, style, side, edge, along, length):
    """A house whose front stands `edge` metres from the centre line; returns its height."""
    stories, storey = rng.uniform(*style.stories), rng.uniform(2.9, 3.5)
    height = round(stories) * storey + 0.6
    depth = rng.uniform(4.0, 6.0)
    parts.group(side * (edge + depth), along + length / 2)
    bay = length / max(2, round(length / rng.uniform(2.2, 3.4)))
    look = {"param": (storey, bay, rng.uniform(0.32, 0.6), rng.uniform(0.4, 0.62)), "material": p.FACADE}
    color = pick(rng, FACADES)
    parts.box(
        (0, height / 2, 0),
        (depth, height / 2, length / 2),
        color,
        BUILDING,
        contrast=0.55,
        texel=0.06,
        **look,
    )
    if rng.random() < 0.6:
        rise = rng.uniform(1.0, 1.8)
        parts.box(
            (0, height + rise, 0),
            (depth + 0.3, rise, length / 2),
            pick(rng, ROOFS),
            BUILDING,
            material=p.BRICKS,
            taper=(0.95, 0.0),
            contrast=0.5,
            texel=0.04,
            param=(0.3, 0.3, 0, 0),
        )
        if rng.random() < 0.7:
            at = (-side * depth * 0.3, height + rise * 1.6, rng.uniform(-0.3, 0.3) * length)
            parts.box(at, (0.35, 0.9, 0.4), (0.25, 0.1, 0.07), BUILDING, contrast=0.4)
    elif rng.random() < 0.5:
        parts.box((0, height + 0.1, 0), (depth + 0.25, 0.18, length / 2), (0.5, 0.48, 0.44), BUILDING)
    if rng.random() < 0.35:
        out = -side * (depth + 0.55)
        shade = pick(rng, CLOTHES)
        parts.box((out, 2.75, 0), (0.6, 0.08, length * 0.35), shade, BUILDING, rotation=p.rolled(side * 0.12))
    return height


def _garden(parts, rng, style, side, edge, along, length):
    """Grass behind a wall, fence, hedge or nothing, with trees and a house set back; returns its height."""
    kind, middle = rng.random(), along + length / 2
    if kind < 0.35:
        height = rng.uniform(0.5, 1.1)
        parts.group(side * (edge + 0.15), middle, shadow=(0.15, length / 2, height, height))
        parts.box(
            (0, height, 0),
            (0.15, height, length / 2),
            pick(rng, FACADES),
            WALL,
            material=p.BRICKS,
            contrast=0.6,
            param=(0.4, 0.2, 0, 0),
        )
        parts.box((0, 2 * height, 0), (0.2, 0.05, length / 2), (0.4, 0.4, 0.38), WALL, contrast=0.4)
    elif kind < 0.72:
        height = rng.uniform(0.5, 0.95)
        color = pick(rng, ((0.45, 0.44, 0.4), (0.2, 0.12, 0.06), (0.06, 0.1, 0.07), (0.3, 0.2, 0.1)))
        parts.group(side * (edge + 0.08), middle, shadow=(0.08, length / 2, height, height))
        parts.box(
            (0, height + 0.1, 0),
            (0.05, height, length / 2),
            color,
            FENCE,
            material=p.PICKETS,
            contrast=0.5,
            param=(rng.uniform(0.25, 0.6), 0, 0, 0),
        )
    elif kind < 0.85:
        parts.group(side * (edge + 0.5), middle, shadow=(0.5, length / 2, 0.6, 0.6))
        parts.box(
            (0, 0.75, 0),
            (0.45, 0.6, length / 2),
            (0.08, 0.16, 0.04),
            VEGETATION,
            material=p.FOLIAGE,
            contrast=1.0,
            texel=0.02,
        )
    for _ in range(int(rng.uniform(1, 4))):
        objects.tree(
            parts,
            rng,
            side * (edge + rng.uniform(2, 5)),
            along + rng.random() * length,
            rng.uniform(0.8, 1.3),
        )
    for _ in range(int(rng.uniform(0, 4))):
        objects.bush(
            parts,
            rng,
            side * (edge + rng.uniform(1.2, 3)),
            along + rng.random() * length,
            rng.uniform(0.5, 1.0),
        )
    return _house(parts, rng, style, side, edge + rng.uniform(6, 10), along, length) if rng.random() < 0.75 else 0.0


def plots(parts, rng, style, edge):
    """Both rows of houses and gardens behind `edge`; returns the skyline [2, END-START] in metres."""
    skyline = np.zeros((2, int(END - START)))
    for row, side in enumerate((-1, 1)):
        along = START
        while along < END:
            length = rng.uniform(7.0, 15.0)
            garden = rng.random() < style.gardens
            plot = _garden if garden else _house
            height = plot(parts, rng, style, side, edge, along, length)
            first, last = int(along - START), int(along + length - START)
            skyline[row, first:last] = 0.3 * height if garden else height  # a house set back shades the road less
            along += length + (0.0 if rng.random() < 0.7 else rng.uniform(1.0, 9.0))
    parts.group(0.0, END + 12.0)  # closes the view at the far end
    for k in range(-4, 5):
        size = (6.0, rng.uniform(3, 8), 2.0)
        parts.box(
            (k * 11.0, size[1], 0),
            size,
            pick(rng, FACADES),
            BUILDING,
            material=p.FACADE,
            contrast=0.6,
            texel=0.06,
            param=(3.2, 2.5, 0.5, 0.5),
        )
    return skyline
