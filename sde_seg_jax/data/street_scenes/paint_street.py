"""Patterns of what does not move: facades, carriageway, pavement, fences, walls, signs, signals, leaves."""

from __future__ import annotations

import numpy as np

from sde_seg_jax.data.street_scenes.camera import street_coordinate
from sde_seg_jax.data.street_scenes.paint import Paint
from sde_seg_jax.data.street_scenes.style import PARKING
from sde_seg_jax.data.street_scenes.textures import band, hash01, stripes

F = np.float32


def facade(s: Paint):
    """Windows with frames and ledges, storey by storey; a shop or a door row at street level."""
    storey, bay, wide, tall = s.param
    wall = (s.axis != 1).astype(F)
    up, along = s.height(), s.u + s.half[2]
    x, y = along / bay, up / storey
    ex, ey = s.eu / bay, s.ev / storey
    upper = wall * band(y, 1.02, 99.0, ey)
    below_roof = band(up, 0.0, 2 * s.half[1] - F(0.5), s.ev)
    framed = stripes(x, wide + F(0.1), ex) * stripes(y, tall + F(0.08), ey) * upper * below_roof
    glass = stripes(x, wide, ex) * stripes(y, tall, ey) * upper * below_roof
    cell = hash01(np.floor(x), np.floor(y), s.scene.seed) + hash01(s.row, np.floor(y) * 31 + np.floor(x), 7)
    s.blend(stripes(y + F(0.5), 0.07, ey) * wall * F(0.6), (0.5, 0.48, 0.44))
    s.blend(framed, (0.6, 0.58, 0.54))
    dark = F(0.02) + F(0.14) * cell * cell * F(0.5)
    s.blend(glass, (dark * F(0.8), dark * F(0.95), dark * F(1.1)))
    curtain = (cell > F(1.3)).astype(F) * stripes(y + F(0.16), tall * F(0.5), ey)
    s.blend(glass * curtain, (0.55, 0.5, 0.42))
    ground = wall * (1 - band(y, 1.0, 99.0, ey))
    shop = (hash01(s.row, s.row, 3) > F(0.45)).astype(F)
    tone = hash01(s.row, s.row, 11)
    s.blend(ground * shop * F(0.8), (F(0.1) + F(0.4) * tone, F(0.12) + F(0.25) * (1 - tone), 0.12))
    pane = stripes(x * F(0.5), 0.78, ex * F(0.5)) * band(up, 0.55, 2.4, s.ev)
    s.blend(ground * shop * pane, (F(0.05) + F(0.12) * cell * F(0.5), 0.07, 0.08))
    odd = (hash01(np.floor(x), s.row, 5) > F(0.6)).astype(F)
    door = stripes(x, 0.42, ex) * band(up, 0.0, 2.25, s.ev)
    s.blend(ground * (1 - shop) * odd * door, (F(0.08) + F(0.25) * tone, 0.07, 0.05))
    small = stripes(x, wide, ex) * band(up, 1.0, 2.2, s.ev)
    s.blend(ground * (1 - shop) * (1 - odd) * small, (0.04, 0.05, 0.06))
    s.blend(wall * band(up, 0.0, 0.45, s.ev) * F(0.5), (0.12, 0.11, 0.1))


def road(s: Paint):
    """Asphalt with patches and tar seams, lane lines, zebra crossings and manhole covers."""
    scene = s.scene
    t, z = street_coordinate(scene, s.world[0], s.world[2]), s.world[2]
    half = F(scene.half_width)
    patch = hash01(np.floor(z / F(3.7)), np.floor(t / F(2.4)), scene.seed)
    patch = np.where(patch > F(0.62), (patch - F(0.62)) * F(1.3), F(0))
    s.scale(F(0.95) + patch)
    seam = band(np.abs(t), F(scene.lane) - F(0.9), F(scene.lane) - F(0.82), s.eu)
    s.scale(1 - F(0.55) * seam - F(0.45) * stripes(z / F(5.3), 0.03, s.ev / F(5.3)))
    cover = (t - F(scene.lane) + F(0.4)) ** 2 + ((z / F(17) - np.floor(z / F(17))) * F(17) - F(8)) ** 2
    s.scale(1 - F(0.6) * np.clip((F(0.16) - cover) * F(8), 0, 1))
    white = F(0.72)
    dashes = band(t, -0.07, 0.07, s.eu) * stripes(z / F(6.0), 0.5, s.ev / F(6.0))
    parking = band(np.abs(t), half - F(PARKING + 0.05), half - F(PARKING - 0.05), s.eu)
    gutter = band(np.abs(t), half - F(0.3), half, s.eu)
    zebra = np.zeros_like(t)
    for crossing in scene.crossings:
        zebra = zebra + band(z, F(crossing - 1.6), F(crossing + 1.6), s.ev)
        zebra_line = band(z, F(crossing - 3.0), F(crossing - 2.6), s.ev) * band(t, 0.0, half, s.eu)
        s.blend(zebra_line, (white, white, white))
    s.blend(gutter * F(0.6), (0.3, 0.29, 0.28))
    s.blend(np.clip(dashes + F(0.9) * parking, 0, 1) * (1 - np.clip(zebra, 0, 1)), (white, white, white))
    s.blend(np.clip(zebra, 0, 1) * stripes(t, 0.5, s.eu) * F(0.9), (white, white, white))


def paving(s: Paint):
    """Slabs with joints, each a little different."""
    x, z = street_coordinate(s.scene, s.world[0], s.world[2]) / F(0.8), s.world[2] / F(0.8)
    slab = hash01(np.floor(x), np.floor(z), s.scene.seed)
    fine = 1 / (1 + (s.ev / F(0.8)) ** 2)
    s.scale(1 + (slab - F(0.5)) * F(0.5) * fine)
    s.scale(
        1 - F(0.45) * np.maximum(stripes(x + F(0.5), 0.06, s.eu / F(0.8)), stripes(z + F(0.5), 0.06, s.ev / F(0.8)))
    )


def pickets(s: Paint):
    """Upright slats with dark gaps and two rails."""
    pitch = s.param[0]
    gap = 1 - stripes(s.u / pitch, 0.72, s.eu / pitch)
    rail = stripes(s.height() / s.half[1], 0.14, s.ev / s.half[1])
    s.scale(1 - F(0.75) * gap * (1 - rail))
    tone = hash01(np.floor(s.u / pitch), s.row, 9) - F(0.5)
    s.scale(1 + F(0.6) * tone / (1 + (s.eu / pitch) ** 2))


def bricks(s: Paint):
    """Courses of stones (param: width, height) with bright joints and different tones."""
    wide, tall = s.param[0], s.param[1]
    y = s.height() / tall
    course = np.floor(y)
    x = s.u / wide + F(0.5) * (course - 2 * np.floor(course / 2))
    tone = hash01(np.floor(x), course, s.scene.seed) - F(0.5)
    s.scale(1 + F(0.7) * tone / (1 + (s.eu / wide) ** 2))
    joint = np.maximum(stripes(x + F(0.5), 0.07, s.eu / wide), stripes(y + F(0.5), 0.12, s.ev / tall))
    s.blend(joint * F(0.5), (0.42, 0.4, 0.37))


def plate(s: Paint):
    """A white border and a white mark on the sign's front; grey behind."""
    front = ((s.axis == 2) & ~s.front).astype(F)
    x, y = np.abs(s.local[0]) / s.half[0], np.abs(s.local[1]) / s.half[1]
    mark = band(x, 0.0, 0.55, s.eu / s.half[0]) * band(y, 0.0, 0.22, s.ev / s.half[1])
    s.blend(front * mark, (0.85, 0.85, 0.85))
    s.blend(1 - front, (0.3, 0.31, 0.32))


def signals(s: Paint):
    """Three lamps, of which one shines (param 0: which)."""
    front = ((s.axis == 2) & ~s.front).astype(F)
    y = s.local[1] / s.half[1] * F(1.5) + F(1.5)  # 0 at the top, 3 at the bottom
    lamp = np.floor(np.clip(y, 0, F(2.99)))
    distance = (s.local[0] / F(0.13)) ** 2 + ((y - lamp - F(0.5)) * F(2.3)) ** 2
    disc = front * np.clip((F(1.2) - distance) * 2, 0, 1)
    lit = disc * (lamp == s.param[0])
    s.blend(disc, (0.06, 0.06, 0.05))
    s.light(lit * (lamp == 0), (1.2, 0.1, 0.05))
    s.light(lit * (lamp == 2), (0.1, 1.0, 0.45))


def foliage(s: Paint):
    """Brighter towards the top of the crown."""
    s.scale(F(1.0) - F(0.3) * np.clip(s.local[1] / s.half[1], -1, 1))
