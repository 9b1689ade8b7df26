"""Colours what the rays have hit: textures in object coordinates, sun with cast shadows, sky, haze.

Deferred: hit points of all rays are shaded together. Surfaces are Lambertian and textures are fixed to the
objects, so a static point has the same colour in every frame.
"""

from __future__ import annotations

import numpy as np

from sde_seg_jax.data.street_scenes import lighting, materials, surfaces
from sde_seg_jax.data.street_scenes.camera import Camera, Rays
from sde_seg_jax.data.street_scenes.render import NOTHING, Placed
from sde_seg_jax.data.street_scenes.scene import Scene

F = np.float32
AIR = (0.72, 0.78, 0.86)  # colour of the haze


def _map(values: np.ndarray, flat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Spreads values [N] over an image; 0 elsewhere."""
    full = np.zeros(shape, F)
    full.reshape(-1)[flat] = values
    return full


def shade(scene: Scene, table: surfaces.Tables, placed: Placed, camera: Camera, rays: Rays, depth, ids) -> np.ndarray:
    """Linear radiance [h,w,3] of the ray grid."""
    image = np.zeros((ids.size, 3), F)
    empty = np.flatnonzero(ids.reshape(-1) == NOTHING)
    width = len(rays.x)
    image[empty] = lighting.sky(scene, camera, np.take(rays.x, empty % width), np.take(rays.y, empty // width))
    flat = np.flatnonzero(ids.reshape(-1) != NOTHING)
    hits = surfaces.locate(table, placed, camera, rays, depth, ids, flat)
    albedo, glow = materials.albedo(scene, table, hits)
    sun, n = [F(c) for c in scene.sun], hits.normal
    direct = np.maximum(n[0] * sun[0] + n[1] * sun[1] + n[2] * sun[2], 0)
    if scene.style.sun_shadows:
        direct = direct * lighting.canyon_shade(scene, hits.world)
    ambient = F(0.72) - F(0.28) * n[1] + F(0.1) * n[0] - F(0.06) * n[2]  # more from above, a little from the right
    world = [_map(c, flat, ids.shape) for c in hits.world]
    open_air = lighting.object_shade(scene, placed, camera, rays, world).reshape(-1)[flat]
    fog = hits.depth * F(scene.haze)
    fog = fog / (1 + fog)
    for i in range(3):
        light = (F(scene.skylight[i]) * ambient + F(scene.sunlight[i]) * direct) * open_air
        color = albedo[i] * light + glow[i]
        image[flat, i] = color + (F(AIR[i]) - color) * fog
    return np.minimum(image, F(4)).reshape(*ids.shape, 3)
