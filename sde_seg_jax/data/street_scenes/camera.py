"""The driving camera: where it is at a time, and its rays. 3x3 algebra without BLAS, sin and cos.

Angles are given by the tangent of their half: rotations need only + - * / and are the same on every machine.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sde_seg_jax.data.street_scenes.scene import Scene
from sde_seg_jax.data.street_scenes.style import STYLES


@dataclasses.dataclass(frozen=True)
class Camera:
    """Where the camera is in the world (x right, y down, z forward)."""

    position: np.ndarray  # [3]
    world_from_camera: np.ndarray  # [3,3] rotation


@dataclasses.dataclass(frozen=True)
class Rays:
    """A rectangular grid of rays: direction (x[j], y[i], 1) in the camera, float32."""

    x: np.ndarray  # [w]
    y: np.ndarray  # [h]


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Batched 3x3 matrix product."""
    return a[..., :, 0:1] * b[..., 0:1, :] + a[..., :, 1:2] * b[..., 1:2, :] + a[..., :, 2:3] * b[..., 2:3, :]


def apply(m: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Batched 3x3 matrix times vector."""
    return m[..., 0] * v[..., 0:1] + m[..., 1] * v[..., 1:2] + m[..., 2] * v[..., 2:3]


def circle(tangent):
    """Cosine and sine of the angle whose half has the given tangent."""
    square = tangent * tangent
    return (1 - square) / (1 + square), 2 * tangent / (1 + square)


def rotation_y(cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """Rotations [...,3,3] about the vertical that turn z towards x."""
    zero, one = np.zeros_like(cosine), np.ones_like(cosine)
    rows = ((cosine, zero, sine), (zero, one, zero), (-sine, zero, cosine))
    return np.stack([np.stack(row, -1) for row in rows], -2)


def heading(curvature: float, along, turn):
    """Cosine and sine of the street's direction at `along`, turned further by 2 atan(`turn`)."""
    slope = curvature * along  # of the centre line x = curvature * z^2 / 2
    c = 1 / np.sqrt(1 + slope * slope)
    s = slope * c
    tc, ts = circle(turn)
    return c * tc - s * ts, s * tc + c * ts


def street_coordinate(scene: Scene, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Lateral distance of world points to the centre line, in metres to the right."""
    return x - np.float32(scene.curvature / 2) * z * z


def _wave(phase: float) -> float:
    """A smooth curve in [-1,1] with period 1, made of parabolas."""
    x = 2 * (phase - np.floor(phase)) - 1
    return float(4 * x * (1 - abs(x)))


def drive(scene: Scene, tick: float, shake: float = 0.0) -> Camera:
    """The camera at time `tick`: it follows its lane and sways, yaws and nods a little.

    With `shake` it also turns about all three axes as if held by hand: by about `shake` times 2 degrees a tick.
    """
    yaw, pitch, sway = scene.wobble
    along = scene.speed * tick
    x = scene.lane + 0.35 * _wave(along / 37 + sway) + scene.curvature * along * along / 2
    y = 0.015 * _wave(along / 5 + pitch) - scene.camera_height
    turn = 0.012 * _wave(along / 19 + yaw) + 0.02 * _wave(along / 53 + sway)
    cosine, sine = heading(scene.curvature, np.array(along), turn)
    c, s = circle(0.004 * _wave(along / 7 + pitch))
    tilt = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])  # looks down where s > 0
    turned = product(rotation_y(cosine, sine), tilt)
    return Camera(np.array([x, y, along]), product(turned, _shaking(scene, tick, shake)) if shake else turned)


def _shaking(scene: Scene, tick: float, shake: float) -> np.ndarray:
    """The rotation of a camera held by hand: periods of some ticks, out of step with each other."""
    yaw, pitch, sway = scene.wobble
    (cy, sy), (cp, sp), (cr, sr) = (
        circle(shake * size * _wave(tick / period + phase))
        for size, period, phase in ((0.02, 7.3, yaw), (0.012, 5.1, pitch), (0.012, 6.1, sway))
    )
    tilt = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return product(rotation_y(cy, sy), product(tilt, roll))


def source_from_target(source: Camera, target: Camera) -> np.ndarray:
    """The 4x4 transform between camera coordinates: x_source = source_from_target @ x_target."""
    back, out = source.world_from_camera.T, np.eye(4)
    out[:3, :3] = product(back, target.world_from_camera)
    out[:3, 3] = apply(back, target.position - source.position)
    return out


def intrinsics(domain: str, size: tuple[int, int]) -> dict[str, float]:
    """fx, fy, cx, cy in pixels of an image of size (height, width); pixel centres are integers."""
    if domain not in STYLES:
        raise ValueError(f"domain {domain!r} is not one of {sorted(STYLES)}")
    (height, width), style = size, STYLES[domain]
    focal = style.focal * width
    return {"fx": focal, "fy": focal, "cx": width / 2 - 0.5, "cy": height * style.horizon - 0.5}


def make_rays(camera: dict[str, float], size: tuple[int, int], supersample: int) -> Rays:
    """`supersample` rays a pixel and axis, every `supersample`-th one exactly through a pixel centre."""
    n = supersample
    v, u = ((np.arange(n * length + n - 1) - (n - 1)) / n for length in size)
    x, y = (u - camera["cx"]) / camera["fx"], (v - camera["cy"]) / camera["fy"]
    return Rays(x.astype(np.float32), y.astype(np.float32))
