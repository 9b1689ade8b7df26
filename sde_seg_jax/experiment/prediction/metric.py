"""What predicted depth is in: unknown units, or metres by a factor that is given or measured on the road.

`movement` measures it on the vehicle's own movement.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sde_seg_jax.data.own import camera_files
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.ahead import Frame, seen_frame
from sde_seg_jax.experiment.prediction.asking import DISPARITY, PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.batches import Batcher
from sde_seg_jax.experiment.prediction.frames import count_frames, read_frames
from sde_seg_jax.experiment.prediction.model import prediction_of
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.experiment.prediction.sources import Source
from sde_seg_jax.geometry.ground import fit_ground
from sde_seg_jax.lookup import suggest

WAYS = {"camera_height": "1.5", "factor": "3.2", "speed": "speeds.csv", "poses": "poses.txt"}  # each with an example
FILES = ("speed", "poses")  # what follows these is a file
ROADS = ("road", "street", "drivable area")  # classes that lie flat below the camera
IMAGES = 32  # that the factor is measured on, spread over all
LEAST_PIXELS, LEAST_SHARE = 0.01, 0.5  # of an image that are road; of these that lie on the plane
UPRIGHT = math.cos(math.radians(30))  # the plane's normal is nearer to the image's vertical than this

CameraOf = Callable[[tuple[int, int], str], tuple[float, float, float, float]]  # (size, image) -> fx, fy, cx, cy


@dataclasses.dataclass(frozen=True)
class Scale:
    """What a network's depth is multiplied by, and what it is in then, in words."""

    factor: float = 1.0
    told: str = "depth up to one unknown scale"


UP_TO_SCALE = Scale()


def parse(text: str) -> tuple[str, float | str]:
    """("camera_height", 1.5) of "camera_height:1.5", ("speed", "a.csv") of "speed:a.csv". Raises UsageError."""
    way, _, value = text.partition(":")
    if way not in WAYS:
        raise UsageError(f"--metric={text}: unknown way; {suggest(way, WAYS)}, as in --metric=camera_height:1.5")
    if way in FILES:
        if not value:
            raise UsageError(f"--metric={text}: expected a file after the colon, as in --metric={way}:{WAYS[way]}")
        return way, value
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UsageError(f"--metric={text}: expected a number above 0 after the colon, as in --metric={way}:1.5")
    return way, number


def by_factor(factor: float) -> Scale:
    """Metres by a factor that somebody knows."""
    return Scale(factor, f"depth in metres: {factor:g} times the network's (--metric=factor)")


def camera_of(file: str, degrees: float, run: pathlib.Path | None, flag: str = "--metric=camera_height") -> CameraOf:
    """The camera of a file, of a field of view, or that which a run, if there is its folder, has learnt.

    Raises UsageError, naming the flag that needs it, if there is none, or it is implausible.
    """
    try:
        if file:
            return camera_files.read(pathlib.Path(file)).at
        if degrees:
            return camera_files.from_view(degrees, "--field_of_view").at
        if run is not None and (learnt := run / camera_files.FILE).is_file():
            return camera_files.read(learnt).at
    except ValueError as error:
        raise UsageError(str(error)) from error
    raise UsageError(
        f"{flag} needs the camera: give --camera=camera.json (docs/own_data.md shows one) or "
        f"--field_of_view=DEGREES across the width"
    )


def by_camera_height(
    height: float, camera: CameraOf, sources: Sequence[Source], predictors: Sequence[Predictor]
) -> Scale:
    """Metres by the camera's height above the road: the median factor over images of which the road shows enough.

    Raises UsageError if the networks know no road or no depth, or no image shows enough road.
    """
    space = next((one.space for one in predictors if one.space is not None), None)
    road = [] if space is None else [i for i, name in enumerate(space.classes) if name.lower() in ROADS]
    gives = {part for one in predictors for part in one.gives}
    if not road or not {PROBABILITIES, DISPARITY} <= gives:
        raise UsageError(
            f"--metric=camera_height needs depth and a class called {' or '.join(ROADS)}; give --metric=factor:NUMBER"
        )
    depths = next(one.depths for one in reversed(predictors) if DISPARITY in one.gives)
    batcher, seen, factors = Batcher(predictors, most=IMAGES), 0, []
    for frame, maps in _answered(batcher, _samples(sources, predictors)):
        seen += 1
        found = prediction_of(frame.image, maps, space, depths)
        factor = factor_of(found, road, height, camera(frame.image.shape[:2], str(frame.source.path)))
        factors += [] if factor is None else [factor]
    if not factors:
        raise UsageError(
            f"--metric=camera_height: none of {seen} images shows enough flat road; give --metric=factor:NUMBER"
        )
    factor = float(np.median(factors))
    spread = float(np.median(np.abs(np.array(factors) / factor - 1)))
    told = (
        f"depth in metres: {factor:.4g} times the network's, so that the camera is {height:g} m above the road "
        f"(--metric=camera_height; {len(factors)} of {seen} images, median deviation {100 * spread:.0f}%)"
    )
    return Scale(factor, told)


def factor_of(found: Prediction, road: Sequence[int], height: float, camera) -> float | None:
    """Metres a unit of depth, by the road of one image; None if it shows too little of it, or it is not flat below."""
    rows, columns = np.nonzero(np.isin(found.classes, road))
    if len(rows) < max(3, LEAST_PIXELS * found.classes.size):
        return None
    try:
        ground = fit_ground(found.depth[rows, columns], np.stack([columns, rows], axis=1), camera)
    except ValueError:
        return None
    return height / ground.height if ground.share >= LEAST_SHARE and ground.normal[1] >= UPRIGHT else None


def _answered(batcher: Batcher, frames: Iterator[Frame]):
    for frame in frames:
        yield from batcher.add(frame)
    yield from batcher.flush()


def _samples(sources: Sequence[Source], predictors: Sequence[Predictor]) -> Iterator[Frame]:
    """Frames spread over all files, without those that cannot be read: they are told when it is their turn."""
    places = sorted({int((i + 0.5) * len(sources) / IMAGES) for i in range(IMAGES)}) if sources else []
    each = max(1, IMAGES // max(1, len(places)))
    for source in (sources[place] for place in places):
        step = max(1, (count_frames(source) or 1) // each)
        try:
            for name, image in itertools.islice(read_frames(source, lambda line: None), step // 2, step * each, step):
                yield seen_frame(source, name, image, predictors)
        except UsageError:
            continue
