"""Sky, and what keeps the sun away: houses on the sunny side; cars, people and trees above the ground."""

from __future__ import annotations

import numpy as np

from sde_seg_jax.data.street_scenes import textures
from sde_seg_jax.data.street_scenes.camera import Camera, Rays, apply, street_coordinate
from sde_seg_jax.data.street_scenes.render import Placed, rectangles
from sde_seg_jax.data.street_scenes.scene import Scene
from sde_seg_jax.data.street_scenes.style import END, START

F = np.float32
SQUARE = np.array([[x, 0.0, z] for x in (-1.2, 1.2) for z in (-1.2, 1.2)])


def canyon_shade(scene: Scene, world) -> np.ndarray:
    """Share of sunlight that the row of houses on the sunny side lets through: 0 in its shadow, 1 outside."""
    sx, sy, sz = (F(c) for c in scene.sun)
    side = 1 if scene.sun[0] > 0 else 0
    edge = F(scene.edge if side else -scene.edge)
    lateral = street_coordinate(scene, world[0], world[2])
    way = (edge - lateral) / (sx if abs(scene.sun[0]) > 1e-3 else F(1e-3))
    cell = world[2] + way * sz - F(START)
    left = np.clip(np.floor(cell), 0, END - START - 1).astype(np.int32)
    height = np.take(scene.skyline[side].astype(F), left)
    clearance = -world[1] - way * sy - height  # height of the ray above the roof line
    return np.where(way > F(0.05), np.clip(clearance / F(0.5) + F(0.5), 0, 1), F(1))


def _patches(scene: Scene, placed: Placed):
    """Centres [N,3], half sizes [N,2], yaws [N,2] of the dark patches: one below each object, one beside."""
    groups = np.flatnonzero(scene.packed.shadow[:, 0] > 0)
    size, middle, tall = (
        scene.packed.shadow[groups, :2],
        scene.packed.shadow[groups, 2],
        scene.packed.shadow[groups, 3],
    )
    base, yaw = placed.group_position[groups], placed.group_yaw[groups]
    if not scene.style.sun_shadows:
        return base, size + 0.15, yaw
    away = np.array([scene.sun[0] / scene.sun[1], 0.0, scene.sun[2] / scene.sun[1]])  # shadow of a point 1 m up
    cast = base + middle[:, None] * away
    sizes = np.concatenate([size + 0.15, size + 0.15 + 0.35 * tall[:, None]])
    return np.concatenate([base, cast]), sizes, np.concatenate([yaw, yaw])


def object_shade(scene: Scene, placed: Placed, camera: Camera, rays: Rays, world: list[np.ndarray]) -> np.ndarray:
    """Share of light [h,w] that objects leave to the ground; world = 3 maps [h,w] of coordinates."""
    shade = np.ones_like(world[0])
    centers, sizes, yaws = _patches(scene, placed)
    near = np.flatnonzero((centers[:, 2] > camera.position[2] - 8) & (centers[:, 2] < camera.position[2] + 60))
    centers, sizes, yaws = centers[near], sizes[near], yaws[near]
    x, z = (SQUARE[:, i] * sizes[:, j : j + 1] for i, j in ((0, 0), (2, 1)))
    c, s = yaws[:, 0:1], yaws[:, 1:2]
    corners = centers[:, None] + np.stack([c * x + s * z, 0 * x, c * z - s * x], -1)
    windows, _ = rectangles(apply(camera.world_from_camera.T, corners - camera.position), rays)
    low = world[1] > F(-0.3)
    for center, size, (c, s), (x0, x1, y0, y1) in zip(
        *(a.tolist() for a in (centers, sizes, yaws, windows)), strict=True
    ):
        if x1 <= x0 or y1 <= y0:
            continue
        window = (slice(y0, y1), slice(x0, x1))
        wx, wz = world[0][window] - F(center[0]), world[2][window] - F(center[2])
        qx, qz = F(c / size[0]) * wx - F(s / size[0]) * wz, F(s / size[1]) * wx + F(c / size[1]) * wz
        qx, qz = qx * qx, qz * qz
        dark = np.clip(F(0.8) - F(0.8) * (qx * qx + qz * qz), 0, F(0.5))  # a rounded rectangle with a soft rim
        shade[window] *= 1 - dark * low[window]
    return shade


def sky(scene: Scene, camera: Camera, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Colour [N,3] of the sky in camera directions (x, y, 1): a gradient with clouds at infinity."""
    r = camera.world_from_camera.astype(F)
    d = [r[i, 0] * x + r[i, 1] * y + r[i, 2] for i in range(3)]
    length = np.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    up = np.clip(-d[1] / length, 0, 1)
    away = 1 / (up + F(0.12))
    one = np.full_like(x, 2.0)
    puff = textures.noise(d[0] / length * away * F(40), d[2] / length * away * F(40), one, one)
    cover = np.clip(puff * F(1.2) + F(0.35), 0, 1) * F(min(1.0, 0.4 + scene.skylight[0] / 2))
    rise = np.clip(up * 2, 0, 1)
    colors = []
    for blue, pale, cloud in ((0.16, 0.62, 0.92), (0.36, 0.74, 0.93), (0.78, 0.92, 0.96)):
        clear = F(pale) + (F(blue) - F(pale)) * rise
        colors.append(clear + (F(cloud) - clear) * cover)
    return np.stack(colors, -1)
