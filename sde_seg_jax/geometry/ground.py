"""How high a camera is above the ground, in the unit of its depths: a plane fitted to pixels of the road.

A point at depth d on the ray r = K^-1 (x, y, 1) lies on the plane m . p = 1 if d (m . r) = 1, which is linear in m; the
camera is 1 / |m| above it. Errors of depth grow with depth, so it is the relative error d (m . r) - 1 that is compared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

TRIALS = 200  # planes through three points; with half of the points off, one in eight is good
TOLERANCE = 0.05  # relative error of the depth up to which a point lies on the plane
REFINED = 5  # rounds of least squares over the points on the plane
PIXELS = 4000  # that are looked at


class Ground(NamedTuple):
    """A fitted plane.

    Attributes:
      height: of the camera above it, in the unit of the depths.
      normal: unit vector down to it, x right, y down, z ahead.
      share: of the points that lie on it, in [0,1].
    """

    height: float
    normal: tuple[float, float, float]
    share: float


def fit_ground(
    depth: Float[np.ndarray, " N"],
    pixels: Float[np.ndarray, "N 2"],
    camera: tuple[float, float, float, float],
    seed: int = 0,
) -> Ground:
    """The plane on which most points lie (RANSAC, Fischler and Bolles 1981), refined by least squares.

    Args:
      depth: positive.
      pixels: (x, y), pixel centres at integers.
      camera: (fx, fy, cx, cy) in pixels.
      seed: of the draws.

    Raises:
      ValueError: fewer than three points, or all on one line.
    """
    depth, pixels = np.asarray(depth, np.float64), np.asarray(pixels, np.float64)
    if len(depth) < 3:
        raise ValueError(f"a plane needs three points, got {len(depth)}")
    rng = np.random.default_rng(seed)
    if len(depth) > PIXELS:
        some = rng.choice(len(depth), PIXELS, replace=False)
        depth, pixels = depth[some], pixels[some]
    fx, fy, cx, cy = camera
    rays = np.stack([(pixels[:, 0] - cx) / fx, (pixels[:, 1] - cy) / fy, np.ones(len(depth))], axis=1)
    points = depth[:, None] * rays
    planes = _through(points[rng.integers(0, len(points), (TRIALS, 3))])
    if not len(planes):
        raise ValueError("the points lie on one line; a plane needs more of the ground")
    on = np.abs(points @ planes.T - 1) < TOLERANCE
    best = int(on.sum(axis=0).argmax())
    plane, inside = planes[best], on[:, best]
    for _ in range(REFINED):
        refined, _, rank, _ = np.linalg.lstsq(points[inside], np.ones(inside.sum()), rcond=None)
        if rank < 3:
            break
        plane, inside = refined, np.abs(points @ refined - 1) < TOLERANCE
    size = float(np.linalg.norm(plane))
    return Ground(1 / size, tuple(float(value) for value in plane / size), float(inside.mean()))


def _through(triples: Float[np.ndarray, "T 3 3"]) -> Float[np.ndarray, "t 3"]:
    """The planes m with m . p = 1 through triples of points, without those that lie on a line."""
    scale = np.abs(triples).max(axis=(1, 2))
    good = np.abs(np.linalg.det(triples)) > 1e-9 * scale**3
    return np.linalg.solve(triples[good], np.ones((int(good.sum()), 3, 1)))[..., 0]
