"""Reflectance of every material: noise in object coordinates plus painted patterns (windows, lanes, glass).

Patterns are averaged over the ray's footprint (`textures.stripes`, `textures.band`): they fade, not flicker.
"""

from __future__ import annotations

import numpy as np

from sde_seg_jax.data.street_scenes import paint_street, paint_vehicles
from sde_seg_jax.data.street_scenes import parts as p
from sde_seg_jax.data.street_scenes.paint import Paint
from sde_seg_jax.data.street_scenes.textures import hash01, noise

F = np.float32
PAINTERS = {
    p.FACADE: paint_street.facade,
    p.ROAD: paint_street.road,
    p.PAVING: paint_street.paving,
    p.FOLIAGE: paint_street.foliage,
    p.PLATE: paint_street.plate,
    p.SIGNALS: paint_street.signals,
    p.PICKETS: paint_street.pickets,
    p.BRICKS: paint_street.bricks,
    p.CABIN: paint_vehicles.cabin,
    p.BODY: paint_vehicles.body,
    p.WHEEL: paint_vehicles.wheel,
    p.COACH: paint_vehicles.coach,
}


def albedo(scene, table, hits):
    """Reflectance and emitted light, each [3][N], of all hit points."""
    contrast = np.take(table.contrast, hits.index)
    inverse = np.take(1 / table.texel, hits.index)
    shift = hash01(np.arange(table.material.size), np.full(table.material.size, scene.seed & 0xFFFF), 1) * F(256)
    shift = np.take(shift, hits.index)
    u, v = hits.u * inverse + shift, hits.v * inverse + shift * F(1.7)
    eu, ev = hits.extent_u * inverse, hits.extent_v * inverse
    fine = noise(u, v, eu, ev)
    k = F(0.163)  # the coarse layer repeats six times later, out of step with the fine one
    coarse = noise(v * k + F(31), u * k, ev * k, eu * k)
    factor = np.maximum(1 + contrast * (F(1.1) * fine + F(1.1) * coarse), F(0.08))
    color = [np.take(table.color[i], hits.index) * factor for i in range(3)]
    tint = contrast * coarse * F(0.15)
    color[0], color[2] = color[0] * (1 + tint), color[2] * (1 - tint)
    glow = [np.zeros_like(factor) for _ in range(3)]
    material = np.take(table.material, hits.index)
    for kind, painter in PAINTERS.items():
        subset = np.flatnonzero(material == kind)
        if subset.size:
            painter(Paint(scene, table, hits, subset, color, glow))
    return color, glow
