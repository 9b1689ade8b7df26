"""Renders the samples of the embedded data set: a frame of a drive, its neighbours, labels, depth and poses.

A sample is a function of the arguments of `render_sample` alone. Randomness comes from Python's
`Random.random`, whose sequence is guaranteed across versions, and from integer hashes; arrays see only
correctly rounded operations (+ - * / sqrt, no long sums). So the result is the same in every process, and
should be the same on every IEEE machine; checked on x86-64, with and without its vector instructions.
"""

from __future__ import annotations

import functools

import numpy as np

from sde_seg_jax.data.street_scenes import render, shade, surfaces
from sde_seg_jax.data.street_scenes.camera import Camera, Rays, drive, intrinsics, make_rays, source_from_target
from sde_seg_jax.data.street_scenes.scene import Scene, make_scene
from sde_seg_jax.data.street_scenes.textures import hash01

FRAMES_PER_CLIP = 8  # samples of one street
STRIDE = 6  # ticks between consecutive samples; neighbours are one tick away
BLOCK = 65_536  # rays that are followed together: their arrays stay in the processor's cache
F = np.float32


@functools.lru_cache(maxsize=4)
def _clip(domain: str, seed: int, clip: int) -> tuple[Scene, surfaces.Tables]:
    scene = make_scene(domain, seed, clip)
    return scene, surfaces.tables(scene)


def _tent(values: np.ndarray, supersample: int) -> np.ndarray:
    """Averages rays to pixels with a symmetric tent two pixels wide along the first axis."""
    total, n = None, supersample
    count = (values.shape[0] - 2 * (n - 1) + n - 1) // n
    for k in range(2 * n - 1):
        weight = F((n - abs(k - n + 1)) / (n * n))
        part = values[k : k + n * (count - 1) + 1 : n] * weight
        total = part if total is None else total + part
    return total


def _develop(scene: Scene, radiance: np.ndarray, frame: int, noise: float) -> np.ndarray:
    """Camera response: exposure, slight flicker and vignette, gamma 1/2, sensor noise, 8 bits."""
    height, width = radiance.shape[:2]
    flicker = 1 + 0.012 * noise * (2 * float(hash01(np.array(frame), np.array(5), scene.seed)) - 1)
    x = (np.arange(width, dtype=F) - F(width / 2)) / F(width)
    y = (np.arange(height, dtype=F) - F(height / 2)) / F(width)
    light = 1 - F(0.25 * min(noise, 1.0)) * (x[None, :] ** 2 + y[:, None] ** 2)
    exposed = radiance * np.array([e * flicker for e in scene.exposure], F) * light[..., None]
    exposed = exposed / (1 + F(0.22) * exposed)  # a soft shoulder
    levels = F(255) * np.sqrt(np.clip(exposed, 0, 1))
    if noise:
        cells = np.arange(levels.size).reshape(levels.shape)
        draws = sum(hash01(cells, np.full_like(cells, frame), scene.seed + k) for k in range(3)) - F(1.5)
        levels = levels + draws * F(2 * noise * scene.style.noise)  # three uniforms: std 1/2
    return np.clip(np.floor(levels + F(0.5)), 0, 255).astype(np.uint8)


def render_frame(
    domain: str,
    seed: int,
    clip: int,
    tick: int,
    size: tuple[int, int],
    supersample: int = 2,
    noise: float = 1.0,
    shake: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Camera]:
    """A frame at time `tick`: (image uint8 [H,W,3], label uint8 [H,W], depth float32 [H,W], Camera)."""
    scene, table = _clip(domain, seed, clip)
    camera, rays = drive(scene, tick, shake), make_rays(intrinsics(domain, size), size, supersample)
    placed = render.place(scene, tick, camera, rays)
    seen = []
    for rows in _blocks(len(rays.y), max(1, BLOCK // len(rays.x))):
        block, local = Rays(rays.x, rays.y[rows]), render.in_rows(placed, rows)
        depth, ids = render.cast(scene, local, camera, block)
        seen.append((shade.shade(scene, table, local, camera, block, depth, ids), depth, ids))
    radiance, depth, ids = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    radiance = _tent(_tent(radiance, supersample).swapaxes(0, 1), supersample).swapaxes(0, 1)
    image = _develop(scene, radiance, int(tick) + 16, noise)
    centers = (slice(supersample - 1, None, supersample),) * 2
    depth, label = depth[centers][: size[0], : size[1]], table.label[ids[centers][: size[0], : size[1]]]
    return image, label, np.where(np.isfinite(depth), depth, F(0)), camera


def _blocks(count: int, length: int) -> list[slice]:
    return [slice(first, min(first + length, count)) for first in range(0, count, length)]


def render_sample(
    domain: str,
    seed: int,
    index: int,
    size: tuple[int, int] = (128, 256),
    supersample: int = 2,
    noise: float = 1.0,
    shake: float = 0.0,
) -> dict:
    """Sample `index` of the endless data set (domain, seed): frame index % 8 of street index // 8.

    Returns image uint8 [H,W,3]; neighbors uint8 [2,H,W,3] (previous, next frame); label uint8 [H,W],
    Cityscapes train ids; depth float32 [H,W], z-depth in metres at the pixel centre, 0 for the sky; pose
    float32 [2,4,4], source_from_target of the neighbors (x right, y down, z forward); intrinsics {fx, fy,
    cx, cy} in pixels with integer pixel centres; name. `noise` 0 turns off what breaks brightness constancy,
    `shake` turns the camera as `camera.drive` says.
    """
    clip, frame = divmod(index, FRAMES_PER_CLIP)
    sample = render_moment(domain, seed, clip, frame * STRIDE, size, supersample, noise, shake)
    return {**sample, "name": f"{domain}_{seed}_s{clip:04d}_f{frame:02d}"}


def render_moment(
    domain: str,
    seed: int,
    clip: int,
    tick: int,
    size: tuple[int, int] = (128, 256),
    supersample: int = 2,
    noise: float = 1.0,
    shake: float = 0.0,
) -> dict:
    """The sample at time `tick` of a street, 0 to 48; as `render_sample`, but for the name."""
    views = [render_frame(domain, seed, clip, tick + step, size, supersample, noise, shake) for step in (0, -1, 1)]
    (image, label, depth, camera), *others = views
    return {
        "image": image,
        "neighbors": np.stack([view[0] for view in others]),
        "label": label,
        "depth": depth,
        "pose": np.stack([source_from_target(view[3], camera) for view in others]).astype(F),
        "intrinsics": intrinsics(domain, size),
        "name": f"{domain}_{seed}_s{clip:04d}_t{tick:02d}",
    }
