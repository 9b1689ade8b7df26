"""What tells the two domains apart: statistics of camera and layout, and the look."""

from __future__ import annotations

import dataclasses

START, END = -12.0, 150.0  # metres along the street that are furnished
KERB = 0.14  # height of the pavement above the road in metres
PARKING = 2.2  # width of the parking lane in metres


@dataclasses.dataclass(frozen=True)
class Style:
    """A domain. Ranges are (low, high), lengths metres, shares in [0,1]."""

    camera_height: tuple[float, float]
    focal: float  # focal length in image widths
    horizon: float  # row of the horizon in image heights
    stories: tuple[float, float]
    pavement: tuple[float, float]
    parking: tuple[float, float]  # share of the kerb taken by parked cars
    gardens: float  # share of plots without a house at the pavement
    verges: float  # share of streets with grass between kerb and pavement
    texture: float  # contrast of surface textures
    saturation: float
    sun_shadows: bool
    photographic: bool  # weather, exposure and white balance vary from clip to clip
    noise: float  # standard deviation in grey levels


STYLES = {
    "target": Style(
        camera_height=(1.2, 1.5),
        focal=0.62,
        horizon=0.52,
        stories=(1.6, 4.4),
        pavement=(2.8, 4.6),
        parking=(0.3, 0.8),
        gardens=0.55,
        verges=0.35,
        texture=1.0,
        saturation=1.0,
        sun_shadows=True,
        photographic=True,
        noise=1.5,
    ),
    "source": Style(
        camera_height=(1.55, 1.9),
        focal=0.82,
        horizon=0.54,
        stories=(1.6, 5.4),
        pavement=(3.0, 6.0),
        parking=(0.1, 0.5),
        gardens=0.3,
        verges=0.5,
        texture=0.4,
        saturation=1.7,
        sun_shadows=False,
        photographic=False,
        noise=0.4,
    ),
}
