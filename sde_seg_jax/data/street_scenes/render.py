"""Ray caster: which surface does every ray meet first, and how far away? Boxes, frusta, ellipsoids, a road.

Rays start at the camera with direction (x, y, 1), so the ray parameter IS the z-depth. Every primitive is
tested only inside its projected bounding rectangle. Elementwise float32 arithmetic throughout (no BLAS, no
long sums), hence bit-identical results wherever IEEE arithmetic holds.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sde_seg_jax.data.street_scenes.camera import (
    Camera,
    Rays,
    apply,
    heading,
    product,
    rotation_y,
    street_coordinate,
)
from sde_seg_jax.data.street_scenes.parts import BALL
from sde_seg_jax.data.street_scenes.scene import Scene
from sde_seg_jax.data.street_scenes.style import KERB

NEAR = 0.25  # metres; nothing closer than this is seen
NOTHING, ROADWAY, CURBSTONE, PAVEMENT, GRASS, FIRST = range(6)  # ids of the buffer; primitive k has id FIRST + k
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)


@dataclasses.dataclass(frozen=True)
class Placed:
    """The primitives of a scene at one moment, seen from one camera."""

    origin: np.ndarray  # [P,3] the camera in each primitive's frame
    local_from_camera: np.ndarray  # [P,3,3]
    group_position: np.ndarray  # [G,3] in the world
    group_yaw: np.ndarray  # [G,2] cosine and sine
    rectangle: np.ndarray  # [P,4] first and last+1 column and row of the ray grid
    nearest: np.ndarray  # [P] smallest depth of the bounding box


def place(scene: Scene, tick: float, camera: Camera, rays: Rays) -> Placed:
    """Moves every group to its position at time `tick` and finds where its primitives fall in the image."""
    packed = scene.packed
    along, lateral = packed.along + packed.speed * tick, packed.lateral + packed.drift * tick
    position = np.stack([lateral + scene.curvature * along * along / 2, 0 * along, along], -1)
    yaw = np.stack(heading(scene.curvature, along, packed.turn), -1)
    group = rotation_y(yaw[:, 0], yaw[:, 1])[packed.group]
    center = position[packed.group] + apply(group, packed.center)
    camera_from_local = product(camera.world_from_camera.T, product(group, packed.rotation))
    middle = apply(camera.world_from_camera.T, center - camera.position)
    local_from_camera = camera_from_local.swapaxes(-1, -2)
    grow = 1 + np.maximum(0, -packed.taper)  # a negative taper widens the top
    reach = packed.half * np.stack([grow[:, 0], np.ones_like(grow[:, 0]), grow[:, 1]], -1)
    corners = middle[:, None] + apply(camera_from_local[:, None], CORNERS * reach[:, None])
    rectangle, nearest = rectangles(corners, rays)
    origin = -apply(local_from_camera, middle)
    return Placed(origin.astype(np.float32), local_from_camera.astype(np.float32), position, yaw, rectangle, nearest)


def in_rows(placed: Placed, rows: slice) -> Placed:
    """The same seen through some rows of the ray grid alone."""
    rectangle = placed.rectangle.copy()
    rectangle[:, 2:] = np.clip(rectangle[:, 2:] - rows.start, 0, rows.stop - rows.start)
    return dataclasses.replace(placed, rectangle=rectangle)


def rectangles(corners: np.ndarray, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
    """Index rectangles [N,4] of the ray grid around convex hulls of corners [N,M,3]; their nearest depths."""
    z = corners[..., 2]
    nearest = z.min(-1)
    far, crosses = np.maximum(z, NEAR), nearest < NEAR
    bounds = []
    for axis, grid in ((0, rays.x), (1, rays.y)):
        c = corners[..., axis]
        seen, clipped = c / far, c / NEAR  # the part cut off at the near plane projects between the two
        low = np.where(crosses, np.minimum(seen, clipped).min(-1), seen.min(-1))
        high = np.where(crosses, np.maximum(seen, clipped).max(-1), seen.max(-1))
        bounds += [np.searchsorted(grid, low, "left"), np.searchsorted(grid, high, "right")]
    rectangle = np.stack(bounds, -1)
    rectangle[z.max(-1) < NEAR] = 0
    return rectangle, nearest


def _ground(scene: Scene, camera: Camera, rays: Rays, depth: np.ndarray, ids: np.ndarray) -> None:
    """Fills carriageway, kerb face, pavement and grass in the rows that look down.

    Two planes, the road and the pavement KERB above it: a ray that meets the upper one outside the
    carriageway ends there, one that meets both inside ends on the road, one that changes sides at the kerb.
    """
    r, c = camera.world_from_camera.astype(np.float32), camera.position.astype(np.float32)
    x, y = rays.x[None, :], rays.y[:, None]
    down = r[1, 0] * x + (r[1, 1] * y + r[1, 2])
    first = int(np.searchsorted(down.max(1), np.float32(1e-4)))
    down = np.maximum(down[first:], np.float32(1e-4))
    y = y[first:]
    wx = r[0, 0] * x + (r[0, 1] * y + r[0, 2])
    wz = r[2, 0] * x + (r[2, 1] * y + r[2, 2])
    half = np.float32(scene.half_width)

    def hit(level):
        t = (np.float32(level) - c[1]) / down
        return t, np.abs(street_coordinate(scene, c[0] + t * wx, c[2] + t * wz)) - half

    high, outside_high = hit(-KERB)
    low, outside_low = hit(0.0)
    share = np.clip(outside_high / np.minimum(outside_high - outside_low, np.float32(-1e-6)), 0, 1)
    kerb = high + share * (low - high)
    t = np.where(outside_high > 0, high, np.where(outside_low > 0, kerb, low))
    kind = np.where(outside_high > 0, PAVEMENT, np.where(outside_low > 0, CURBSTONE, ROADWAY))
    kerbstone = np.float32(0.15)
    lawn = (outside_high > kerbstone) & (outside_high < kerbstone + np.float32(scene.verge))
    kind = np.where(lawn | (outside_high + half > np.float32(scene.edge)), GRASS, kind)
    valid = (down > np.float32(1e-4)) & (t < np.float32(400.0))
    depth[first:] = np.where(valid, t, np.float32(np.inf))
    ids[first:] = np.where(valid, kind, NOTHING)


def _hit_box(o, dx, dy, dz, half, taper):
    """Entry depth of rays into a frustum |x| <= a + b y, |y| <= h, |z| <= c + d y; +inf where they miss."""
    hx, hy, hz = half
    enter = leave = None
    for origin, d, h, shrink in ((o[0], dx, hx, taper[0]), (o[2], dz, hz, taper[1])):
        slope = h * shrink / (2 * hy)
        reach = h - slope * hy
        if shrink == 0:
            inverse = 1 / d
            t1, t2 = (-h - origin) * inverse, (h - origin) * inverse
            near, far = np.minimum(t1, t2), np.maximum(t1, t2)
            enter = near if enter is None else np.maximum(enter, near)
            leave = far if leave is None else np.minimum(leave, far)
            continue
        for sign in (-1, 1):
            rate, room = sign * d - slope * dy, reach + slope * o[1] - sign * origin
            t = room / rate
            near = np.where(rate < 0, t, np.float32(-np.inf))
            far = np.where(rate > 0, t, np.float32(np.inf))
            enter = near if enter is None else np.maximum(enter, near)
            leave = far if leave is None else np.minimum(leave, far)
    inverse = 1 / dy
    t1, t2 = (-hy - o[1]) * inverse, (hy - o[1]) * inverse
    enter, leave = np.maximum(enter, np.minimum(t1, t2)), np.minimum(leave, np.maximum(t1, t2))
    return np.where(enter < leave, enter, np.float32(np.inf))


def _hit_ball(o, dx, dy, dz, half):
    """Entry depth of rays into an ellipsoid; +inf where they miss."""
    inverse = 1 / half
    o = o * inverse
    dx, dy, dz = dx * inverse[0], dy * inverse[1], dz * inverse[2]
    a = dx * dx + dy * dy + dz * dz
    b = dx * o[0] + dy * o[1] + dz * o[2]
    c = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - np.float32(1)
    discriminant = b * b - a * c
    t = (-b - np.sqrt(np.maximum(discriminant, 0))) / a
    return np.where(discriminant > 0, t, np.float32(np.inf))


def cast(scene: Scene, placed: Placed, camera: Camera, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
    """Depth [h,w] in metres (inf = sky) and surface id [h,w] of the first surface along every ray."""
    packed = scene.packed
    depth = np.full((len(rays.y), len(rays.x)), np.inf, np.float32)
    ids = np.zeros(depth.shape, np.int32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        _ground(scene, camera, rays, depth, ids)
        half, taper = packed.half.astype(np.float32), packed.taper.astype(np.float32)
        x0, x1, y0, y1 = placed.rectangle.T
        visible = np.flatnonzero((x1 > x0) & (y1 > y0))
        for k in visible[np.argsort(placed.nearest[visible], kind="stable")]:
            window = (slice(y0[k], y1[k]), slice(x0[k], x1[k]))
            best = depth[window]
            if best.max() <= placed.nearest[k]:
                continue
            x, y, m = rays.x[window[1]], rays.y[window[0], None], placed.local_from_camera[k]
            dx, dy, dz = (m[i, 0] * x + (m[i, 1] * y + m[i, 2]) for i in range(3))
            if packed.kind[k] == BALL:
                t = _hit_ball(placed.origin[k], dx, dy, dz, half[k])
            else:
                t = _hit_box(placed.origin[k], dx, dy, dz, half[k], taper[k])
            closer = (t < best) & (t > np.float32(NEAR))
            np.copyto(best, t, where=closer)
            np.copyto(ids[window], np.int32(FIRST + k), where=closer)
    return depth, ids
