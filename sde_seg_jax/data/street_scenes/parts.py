"""Collects boxes and ellipsoids into groups that move along the street, and packs them into arrays.

Street coordinates in metres: `lateral` to the right of the centre line, `along` the driving direction, height
up. World coordinates follow the camera: x right, y DOWN, z forward; the road is y = 0.
"""

from __future__ import annotations

import dataclasses

import numpy as np

BOX, BALL = 0, 1
PLAIN, FACADE, ROAD, PAVING, FOLIAGE, CABIN, BODY, WHEEL, PLATE, SIGNALS, PICKETS, BRICKS, SKY, COACH = range(14)
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclasses.dataclass(frozen=True)
class Packed:
    """P primitives and G groups as arrays; a primitive's placement is relative to its group."""

    kind: np.ndarray  # [P] BOX or BALL
    group: np.ndarray  # [P]
    center: np.ndarray  # [P,3] in the group's frame, y down
    rotation: np.ndarray  # [P,3,3] group_from_primitive
    half: np.ndarray  # [P,3] half sizes
    taper: np.ndarray  # [P,2] by which share x and z shrink from bottom to top
    label: np.ndarray  # [P]
    material: np.ndarray  # [P]
    color: np.ndarray  # [P,3] linear reflectance
    contrast: np.ndarray  # [P] of the noise texture
    texel: np.ndarray  # [P] metres
    param: np.ndarray  # [P,4] meaning depends on the material
    lateral: np.ndarray  # [G]
    along: np.ndarray  # [G] at tick 0
    turn: np.ndarray  # [G] tangent of half the yaw relative to the street
    speed: np.ndarray  # [G] metres a tick along the street
    drift: np.ndarray  # [G] metres a tick to the right
    shadow: np.ndarray  # [G,4] half sizes of the footprint, height of its middle, half height (0 = no shadow)


class Parts:
    """A mutable list of primitives under construction; `pack` freezes it."""

    def __init__(self):
        self.primitives = []
        self.groups = []

    def group(self, lateral, along, turn=0.0, speed=0.0, drift=0.0, shadow=(0.0, 0.0, 0.0, 0.0)):
        """Starts a group for the primitives added from now on. `turn` = tan(yaw/2): 1 is a quarter turn."""
        self.groups.append((lateral, along, turn, speed, drift, shadow))

    def add(
        self,
        kind,
        center,
        half,
        color,
        label,
        material=PLAIN,
        taper=(0.0, 0.0),
        contrast=0.3,
        texel=0.03,
        param=(0.0, 0.0, 0.0, 0.0),
        rotation=IDENTITY,
    ):
        """Adds a primitive; `center` = (right, height, forward) in the group's frame."""
        x, height, z = center
        group = len(self.groups) - 1
        row = (
            kind,
            group,
            (x, -height, z),
            rotation,
            half,
            taper,
            label,
            material,
            color,
            contrast,
            texel,
            param,
        )
        self.primitives.append(row)

    def box(self, center, half, color, label, **look):
        """A box, or with `taper` a frustum."""
        self.add(BOX, center, half, color, label, **look)

    def ball(self, center, half, color, label, **look):
        """An ellipsoid."""
        self.add(BALL, center, half, color, label, **look)

    def pack(self) -> Packed:
        """Freezes the collection into arrays."""
        columns = [np.array(column) for column in zip(*self.primitives, strict=True)]
        integers = (0, 1, 6, 7)
        columns = [c.astype(np.int32 if i in integers else np.float64) for i, c in enumerate(columns)]
        groups = [np.array(column, np.float64) for column in zip(*self.groups, strict=True)]
        return Packed(*columns, *groups)


def pitched(slope: float):
    """Rotation about the x axis by the angle with tan(angle/2) = slope, as nested tuples."""
    c, s = (1 - slope * slope) / (1 + slope * slope), 2 * slope / (1 + slope * slope)
    return ((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c))


def rolled(slope: float):
    """Rotation about the z axis by the angle with tan(angle/2) = slope, as nested tuples."""
    c, s = (1 - slope * slope) / (1 + slope * slope), 2 * slope / (1 + slope * slope)
    return ((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0))
