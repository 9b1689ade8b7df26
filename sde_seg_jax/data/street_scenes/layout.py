"""Furnishes the road and the pavements: parked vehicles, posts and trees, people and traffic.

Each function draws from `rng.random`/`rng.uniform` and adds groups to `parts`; lengths are metres.
"""

from __future__ import annotations

from sde_seg_jax.data.street_scenes import figures, objects, vehicles
from sde_seg_jax.data.street_scenes.palette import pick
from sde_seg_jax.data.street_scenes.style import PARKING, START

ONCOMING = 1e9  # tangent of half a half-turn


def parked(parts, rng, style, half_width, crossings):
    """Vehicles parked along both kerbs, clear of the crossings."""
    for side in (-1, 1):
        share, along = rng.uniform(*style.parking), START
        while along < 110.0:
            along += rng.uniform(5.2, 6.6)
            if rng.random() > share or any(abs(along - c) < 6.0 for c in crossings):
                continue
            askew, roll = rng.uniform(0.001, 0.012), rng.random()
            make = vehicles.car if roll < 0.88 else figures.motorcycle if roll < 0.94 else vehicles.truck
            lateral = side * (half_width - rng.uniform(1.0, 1.15))
            make(parts, rng, lateral, along, askew if side > 0 else 1 / askew)


def posts(parts, rng, half_width, crossings):
    """Trees, lamps, signs, bollards and leaning bicycles near both kerbs; signals at the crossings."""
    for side in (-1, 1):
        along, trees = START, rng.random() < 0.75
        while along < 120.0:
            along += rng.uniform(3.0, 6.5)
            near, roll = side * (half_width + rng.uniform(0.5, 0.8)), rng.random()
            if roll < 0.3 and trees:
                objects.tree(parts, rng, near, along, rng.uniform(0.65, 1.0))
            elif roll < 0.42:
                objects.lamp(parts, rng, near, along, -side)
            elif roll < 0.58:
                objects.sign(parts, rng, near, along)
            elif roll < 0.74:
                figures.bicycle(parts, rng, near, along, rng.uniform(-1.0, 1.0))
            elif roll < 0.88:
                objects.bollard(parts, rng, near, along)
        for crossing in crossings:
            objects.traffic_light(parts, rng, side * (half_width + 0.5), crossing - 2.5, -side)


def people(parts, rng, half_width, edge, crossings):
    """Pedestrians on the pavements, alone or in pairs, and now and then one on a crossing."""
    for side in (-1, 1):
        along = START
        while along < 110.0:
            along += rng.uniform(2.5, 9.0)
            lateral = side * rng.uniform(half_width + 0.9, max(half_width + 1.0, edge - 0.5))
            turn, speed = pick(rng, ((0.0, 0.08), (ONCOMING, -0.08), (rng.uniform(-1, 1), 0.0)))
            for _ in range(1 + int(rng.random() * 2.2)):
                figures.person(
                    parts, rng, lateral + rng.uniform(-0.6, 0.6), along + rng.uniform(-0.6, 0.6), turn, speed
                )
    for crossing in crossings:
        for _ in range(int(rng.random() * 3)):
            start = rng.uniform(-half_width, half_width)
            figures.person(parts, rng, start, crossing + rng.uniform(-1.2, 1.2), 1.0, drift=rng.uniform(0.03, 0.08))


def traffic(parts, rng, half_width, lane, speed):
    """Oncoming traffic, riders beside the lane and, in half of the streets, a vehicle ahead at our speed."""
    along = rng.uniform(8.0, 25.0)
    while along < 190.0:
        roll = rng.random()
        make = vehicles.car if roll < 0.84 else vehicles.coach if roll < 0.92 else vehicles.truck
        make(parts, rng, -lane + rng.uniform(-0.2, 0.2), along, ONCOMING, -rng.uniform(0.4, 0.6))
        along += rng.uniform(18.0, 45.0)
    if rng.random() < 0.5:
        roll = rng.random()
        make = vehicles.car if roll < 0.75 else vehicles.coach if roll < 0.85 else vehicles.truck
        make(parts, rng, lane + rng.uniform(-0.3, 0.3), rng.uniform(12.0, 30.0), 0.0, speed)
    for side in (-1, 1):
        for _ in range(int(rng.random() * 2.5)):
            make = figures.bicycle if rng.random() < 0.65 else figures.motorcycle
            turn, pace = (0.0, 0.3) if side > 0 else (ONCOMING, -0.3)
            lateral = side * (half_width - PARKING - rng.uniform(0.35, 0.5))
            make(parts, rng, lateral, rng.uniform(8.0, 50.0), turn, pace, ridden=True)
