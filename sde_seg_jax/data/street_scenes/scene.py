"""One street and the drive through it: everything that does not depend on the moment."""

from __future__ import annotations

import dataclasses
import random

import numpy as np

from sde_seg_jax.data.street_scenes import houses, layout
from sde_seg_jax.data.street_scenes.parts import Packed, Parts
from sde_seg_jax.data.street_scenes.style import PARKING, STYLES, Style


@dataclasses.dataclass(frozen=True)
class Scene:
    """A street (lengths in metres), its light, and the camera's path."""

    style: Style
    packed: Packed
    curvature: float  # 1/m: the centre line is x = curvature * z^2 / 2
    half_width: float  # of the carriageway
    verge: float  # width of the grass between kerb and pavement
    edge: float  # lateral distance of the building line
    lane: float  # lateral position of the camera
    speed: float  # metres a tick
    camera_height: float
    wobble: tuple[float, ...]  # phases of yaw, pitch, sway
    skyline: np.ndarray  # [2, END-START] house heights per metre along the left and right building line
    crossings: tuple[float, ...]  # positions of zebra crossings along the street
    sun: tuple[float, float, float]  # unit vector towards the sun, y down
    sunlight: tuple[float, float, float]
    skylight: tuple[float, float, float]
    haze: float  # 1/m
    exposure: tuple[float, float, float]  # per colour channel
    seed: int  # of patterns


def _light(style: Style, rng: random.Random) -> dict:
    """Sun, sky, haze and exposure: the same for all frames of a clip."""
    x, y, z = rng.uniform(-1.0, 1.0), -rng.uniform(0.6, 1.2), rng.uniform(-0.9, 0.9)
    length = float(np.sqrt(x * x + y * y + z * z))
    warm, overcast, gain, tint, haze = (rng.random() for _ in range(5))
    if not style.photographic:
        warm, overcast, gain, tint, haze = 0.4, 0.3, 0.5, 0.5, 0.1
    direct, gain, tint = 1.5 * (1 - 0.7 * overcast), 0.7 + 0.8 * gain, 0.16 * tint - 0.08
    return {
        "sun": (x / length, y / length, z / length),
        "sunlight": (direct * (1 + 0.12 * warm), direct, direct * (1 - 0.25 * warm)),
        "skylight": tuple(c + 0.21 * overcast for c in (0.62, 0.68, 0.76)),
        "haze": 0.001 + 0.004 * haze,
        "exposure": (gain * (1 + tint), gain, gain * (1 - tint)),
    }


def make_scene(domain: str, seed: int, clip: int) -> Scene:
    """The street of one clip: a function of (domain, seed, clip) alone."""
    if domain not in STYLES:
        raise ValueError(f"domain {domain!r} is not one of {sorted(STYLES)}")
    style, rng, parts = STYLES[domain], random.Random(f"{domain}/{seed}/{clip}"), Parts()
    half_width = rng.uniform(5.4, 7.0)
    verge = rng.uniform(1.0, 2.0) if rng.random() < style.verges else 0.0
    edge = half_width + verge + rng.uniform(*style.pavement)
    lane, speed = (half_width - PARKING) / 2, rng.uniform(0.4, 1.0)
    crossings = tuple(c + rng.uniform(-6, 6) for c in (18.0, 62.0, 100.0) if rng.random() < 0.6)
    skyline = houses.plots(parts, rng, style, edge)
    layout.parked(parts, rng, style, half_width, crossings)
    layout.posts(parts, rng, half_width, crossings)
    layout.people(parts, rng, half_width, edge, crossings)
    layout.traffic(parts, rng, half_width, lane, speed)
    return Scene(
        style=style,
        packed=parts.pack(),
        curvature=rng.uniform(-0.003, 0.003),
        half_width=half_width,
        verge=verge,
        edge=edge,
        lane=lane,
        speed=speed,
        camera_height=rng.uniform(*style.camera_height),
        wobble=(rng.random(), rng.random(), rng.random()),
        skyline=skyline,
        crossings=crossings,
        seed=int(rng.random() * 2**31),
        **_light(style, rng),
    )
