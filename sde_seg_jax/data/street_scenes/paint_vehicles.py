"""Patterns of vehicles: glass, lamps, number plates, seams, wheels."""

from __future__ import annotations

import numpy as np

from sde_seg_jax.data.street_scenes.paint import Paint
from sde_seg_jax.data.street_scenes.textures import band, stripes

F = np.float32


def cabin(s: Paint):
    """Glass all round with pillars; the roof stays painted."""
    wall = (s.axis != 1).astype(F)
    edge = np.where(s.axis == 0, np.abs(s.local[2]) / s.half[2], np.abs(s.local[0]) / s.half[0])
    narrow = F(0.95) - F(0.28) * (s.height() / (2 * s.half[1]))
    pillar = 1 - band(edge, 0.0, narrow, s.eu / s.half[2])
    door = np.where(s.axis == 0, band(s.local[2], -0.05, 0.05, s.eu), F(0))
    inside = band(s.height() / (2 * s.half[1]), s.param[0], s.param[1], s.ev / (2 * s.half[1]))
    glass = wall * (1 - np.clip(pillar + door, 0, 1)) * inside
    glint = F(0.03) + F(0.12) * np.clip(s.height() / (2 * s.half[1]), 0, 1)
    s.blend(glass, (glint * F(0.85), glint, glint * F(1.1)))


def body(s: Paint):
    """Lamps and number plate at the ends, door seams and wheel arches at the sides, a dark sill."""
    up = s.height()
    end, side = (s.axis == 2).astype(F), (s.axis == 0).astype(F)
    lamps = end * band(np.abs(s.local[0]) / s.half[0], 0.62, 0.95, s.eu) * band(up, 0.32, 0.52, s.ev)
    front = s.front.astype(F)
    s.blend(lamps, (0.85 * front + 0.5 * (1 - front), 0.85 * front + 0.02 * (1 - front), 0.8 * front + F(0.02)))
    plate = end * band(s.local[0], -0.26, 0.26, s.eu) * band(up, 0.2, 0.32, s.ev)
    s.blend(plate, (0.7, 0.7, 0.65))
    grille = end * front * band(s.local[0], -0.5, 0.5, s.eu) * band(up, 0.34, 0.5, s.ev)
    s.blend(grille, (0.02, 0.02, 0.02))
    s.blend(band(up, -0.1, 0.12, s.ev) * F(0.8), (0.02, 0.02, 0.02))
    arch = (np.abs(s.local[2]) - F(0.62) * s.param[0]) ** 2 + (up - F(0.11)) ** 2
    s.blend(side * np.clip((F(0.17) - arch) * F(20), 0, 1), (0.015, 0.015, 0.015))
    s.blend(side * band(np.abs(s.local[2] + F(0.1)), 0.0, 0.03, s.eu) * F(0.6), (0.02, 0.02, 0.02))
    s.blend(side * band(up, 0.36, 0.41, s.ev) * F(0.35), (0.03, 0.03, 0.03))


def wheel(s: Paint):
    """A bright rim with a hub inside the tyre."""
    radius = np.sqrt(s.local[1] ** 2 + s.local[2] ** 2) / s.half[1]
    side = (s.axis == 0).astype(F)
    rim = side * band(radius, 0.0, 0.62, s.eu / s.half[1])
    s.blend(rim, (0.35, 0.35, 0.36))
    s.blend(side * band(radius, 0.2, 0.34, s.eu / s.half[1]), (0.1, 0.1, 0.1))


def coach(s: Paint):
    """A band of windows all round the bus, and a destination board."""
    up, wall = s.height(), (s.axis != 1).astype(F)
    pillars = np.where(s.axis == 0, stripes(s.u / F(1.35), 0.86, s.eu / F(1.35)), F(1))
    glass = wall * band(up, 1.1, 2.1, s.ev) * pillars
    s.blend(glass, (0.04, 0.05, 0.06))
    end = (s.axis == 2).astype(F)
    s.blend(end * band(up, 0.75, 1.1, s.ev) * s.front.astype(F) * F(0.9), (0.04, 0.05, 0.06))
    s.blend(end * band(up, 2.3, 2.62, s.ev) * band(np.abs(s.local[0]), 0.0, 0.8, s.eu), (0.5, 0.35, 0.02))
    s.blend(wall * band(up, 0.0, 0.2, s.ev) * F(0.7), (0.02, 0.02, 0.02))
    lamps = end * band(np.abs(s.local[0]), 0.85, 1.12, s.eu) * band(up, 0.4, 0.6, s.ev)
    front = s.front.astype(F)
    s.blend(lamps, (0.5 + 0.3 * front, 0.8 * front, 0.75 * front))
