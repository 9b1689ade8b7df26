"""What has been hit: constants of every surface; position, face and texture coordinates of hits."""

from __future__ import annotations

import dataclasses

import numpy as np

from sde_seg_jax.data.street_scenes import palette, parts
from sde_seg_jax.data.street_scenes.camera import Camera, Rays
from sde_seg_jax.data.street_scenes.render import FIRST, Placed
from sde_seg_jax.data.street_scenes.scene import Scene

F = np.float32
PIXEL = 0.75  # width of the texture filter in ray spacings; the tent filter over the rays does the rest


@dataclasses.dataclass(frozen=True)
class Tables:
    """Per-surface constants; rows 0..4 are sky and ground, row FIRST+k is primitive k."""

    half: np.ndarray
    color: np.ndarray
    contrast: np.ndarray
    texel: np.ndarray
    material: np.ndarray
    ball: np.ndarray
    param: np.ndarray
    label: np.ndarray
    taper: np.ndarray


def tables(scene: Scene) -> Tables:
    """The surface tables of a scene; colours take the domain's saturation and texture strength."""
    k, big = scene.packed, 1e6
    style = scene.style
    half = [[1, 1, 1], [big, 1, big], [1e-3, big, big], [big, 1, big], [big, 1, big]]
    ground = np.array([[0, 0, 0], [0.17, 0.17, 0.175], [0.42, 0.41, 0.39], [0.32, 0.3, 0.28], [0.13, 0.2, 0.06]])
    color = np.concatenate([ground, k.color])
    gray = (color[:, 0:1] + color[:, 1:2] + color[:, 2:3]) / 3
    color = np.clip(gray + style.saturation * (color - gray), 0.01, 0.9)
    rows = {
        "half": np.concatenate([half, k.half]),
        "color": color,
        "contrast": np.concatenate([[0, 0.8, 0.4, 0.5, 0.8], k.contrast]) * style.texture,
        "texel": np.concatenate([[1, 0.05, 0.03, 0.04, 0.04], k.texel]),
        "param": np.concatenate([np.zeros((5, 4)), k.param]),
        "taper": np.concatenate([np.zeros((5, 2)), k.taper]),
    }
    ground_labels = [palette.SKY, palette.ROAD, palette.SIDEWALK, palette.SIDEWALK, palette.TERRAIN]
    material = [parts.SKY, parts.ROAD, parts.PLAIN, parts.PAVING, parts.FOLIAGE]
    return Tables(
        **{name: np.ascontiguousarray(value.astype(F).T) for name, value in rows.items()},
        material=np.concatenate([material, k.material]).astype(np.int32),
        ball=np.concatenate([np.zeros(5, bool), k.kind == parts.BALL]),
        label=np.concatenate([ground_labels, k.label]).astype(np.uint8),
    )


@dataclasses.dataclass(frozen=True)
class Hits:
    """N hit points. Local coordinates are the primitive's, `u v` the face's in metres."""

    index: np.ndarray  # row of the surface tables
    local: tuple[np.ndarray, ...]  # 3 x [N]
    world: tuple[np.ndarray, ...]  # 3 x [N]
    normal: tuple[np.ndarray, ...]  # 3 x [N] in the world, facing the camera
    axis: np.ndarray  # [N] which local axis the face looks along
    front: np.ndarray  # [N] is it the face at the positive end of that axis?
    u: np.ndarray
    v: np.ndarray
    extent_u: np.ndarray  # width of the ray's footprint on the face
    extent_v: np.ndarray
    depth: np.ndarray


def _faces(table: Tables, index, local, d):
    """The face of a local point: (mask of each axis, is it the positive end, unit normal towards the ray)."""
    half = [np.take(table.half[i], index) for i in range(3)]
    shrink = [np.take(table.taper[i], index) for i in range(2)]
    ball = np.take(table.ball, index)
    tall = (half[1] - local[1]) / (2 * half[1])  # 0 at the bottom, 1 at the top
    width = [half[0] * (1 - shrink[0] * tall), half[1], half[2] * (1 - shrink[1] * tall)]
    gradient = [np.where(ball, local[i] / (half[i] * half[i]), local[i]) for i in range(3)]
    score = [np.where(ball, np.abs(gradient[i]), np.abs(local[i]) - width[i]) for i in range(3)]
    first = score[0] >= np.maximum(score[1], score[2])
    second = ~first & (score[1] >= score[2])
    masks = (first, second, ~(first | second))
    front = np.where(first, local[0], np.where(second, local[1], local[2])) >= 0
    sign = np.where(front, F(1), F(-1))
    flat = [np.where(mask, sign, F(0)) for mask in masks]
    slope = [half[0] * shrink[0] / (2 * half[1]), half[2] * shrink[1] / (2 * half[1])]
    flat[1] = flat[1] - np.where(first, slope[0], np.where(masks[2], slope[1], F(0)))
    normal = [np.where(ball, gradient[i], flat[i]) for i in range(3)]
    facing = normal[0] * d[0] + normal[1] * d[1] + normal[2] * d[2]
    length = np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2])
    scale = np.where(facing > 0, F(-1), F(1)) / np.maximum(length, F(1e-9))
    return masks, front, [n * scale for n in normal]


def locate(table: Tables, placed: Placed, camera: Camera, rays: Rays, depth, ids, flat) -> Hits:
    """The hit points of the rays with flat indices `flat` [N]."""
    index, t = ids.reshape(-1)[flat], depth.reshape(-1)[flat]
    x, y = np.take(rays.x, flat % len(rays.x)), np.take(rays.y, flat // len(rays.x))
    r, position = camera.world_from_camera.astype(F), camera.position.astype(F)
    world = tuple(position[i] + t * (r[i, 0] * x + r[i, 1] * y + r[i, 2]) for i in range(3))
    below = (camera.position - np.array([0, 1.0, 0])).astype(F)  # the ground counts as the top of a huge box
    origin = np.ascontiguousarray(np.concatenate([np.repeat(below[None], FIRST, 0), placed.origin]).T)
    turn = np.concatenate([np.repeat(r[None], FIRST, 0), placed.local_from_camera]).reshape(-1, 9)
    m = [np.take(column, index) for column in np.ascontiguousarray(turn.T)]
    d = [m[3 * i] * x + m[3 * i + 1] * y + m[3 * i + 2] for i in range(3)]
    local = tuple(np.take(origin[i], index) + t * d[i] for i in range(3))
    masks, front, n = _faces(table, index, local, d)
    n = [m[i] * n[0] + m[3 + i] * n[1] + m[6 + i] * n[2] for i in range(3)]
    normal = tuple(r[i, 0] * n[0] + r[i, 1] * n[1] + r[i, 2] * n[2] for i in range(3))
    first, second, _ = masks
    u, du = np.where(first, local[2], local[0]), np.where(first, d[2], d[0])
    v, dv = np.where(second, local[2], local[1]), np.where(second, d[2], d[1])
    across = np.where(first, d[0], np.where(second, d[1], d[2]))
    steep = 1 / np.maximum(across * across, F(1e-4))
    size = t * (PIXEL * (rays.x[1] - rays.x[0]))  # of the ray's cross-section; the face is oblique to it
    extent_u, extent_v = size * np.sqrt(1 + du * du * steep), size * np.sqrt(1 + dv * dv * steep)
    axis = np.where(first, 0, np.where(second, 1, 2))
    return Hits(index, local, world, normal, axis, front, u, v, extent_u, extent_v, t)
