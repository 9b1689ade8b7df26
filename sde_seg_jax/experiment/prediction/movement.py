"""Metres from the vehicle's own movement: how far it really moved, over how far the network says that it did."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from sde_seg_jax.data.own import movement_files, pose_files, speed_files
from sde_seg_jax.data.own.movement_files import Clip, Rows
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.asking import DISPARITY, Predictor
from sde_seg_jax.experiment.prediction.frames import frame_times, frames_at, read_image
from sde_seg_jax.experiment.prediction.metric import Scale
from sde_seg_jax.experiment.prediction.model import brought_to
from sde_seg_jax.experiment.prediction.motion import Mover
from sde_seg_jax.experiment.prediction.predictor import padded
from sde_seg_jax.experiment.prediction.sources import Source

READERS = {"speed": speed_files.read, "poses": pose_files.read}
MOVING = {
    "speed": f"with at least {movement_files.LEAST_SPEED:g} m/s",
    "poses": f"at least {movement_files.LEAST_STEP:g} m apart",
}
PAIRS = 256  # of neighboring frames that are looked at, spread over those that move
BATCH = 8  # pairs that are asked about at once


def read(way: str, path: str) -> Rows:
    """The file of --metric=WAY:PATH. Raises UsageError."""
    try:
        return READERS[way](pathlib.Path(path).expanduser())
    except ValueError as error:
        raise UsageError(f"--metric={way}:{path}: {error}") from error


def by_movement(
    way: str, rows: Rows, mover: Mover, frame_rate: float, sources: Sequence[Source], predictors: Sequence[Predictor]
) -> Scale:
    """Metres by the movement in a file: the median factor over pairs of neighboring frames between which it moved.

    Args:
      way: a key of READERS.
      rows: what was read.
      mover: tells motion in the unit of the depth.
      frame_rate: frames a second; 0: as the video says.
      sources: one video, or the frames of one folder in order.
      predictors: the one of depth says at which size frames are seen.

    Raises:
      UsageError: these are no frames of one clip, they are not those of the file, or nothing moves.
    """
    clip = _clip(way, frame_rate, sources)
    try:
        steps, least = movement_files.distances(rows, clip)
    except ValueError as error:
        raise UsageError(f"--metric={way}: {error}") from error
    moving = np.flatnonzero(steps >= least)
    if not len(moving):
        raise UsageError(
            f"--metric={way}: {rows.where} never moves ({MOVING[way]}), so it tells no length; give frames in which it "
            f"does, or --metric=factor:NUMBER"
        )
    chosen = moving[np.unique(np.linspace(0, len(moving) - 1, PAIRS).astype(int))]
    said = _said(sources, predictors, mover, chosen)
    with np.errstate(divide="ignore"):  # no motion at all is an infinite factor, which the median passes over
        factors = steps[chosen] / said
    factor = float(np.median(factors))
    if not np.isfinite(factor):
        raise UsageError(f"--metric={way}: the network sees no motion where {rows.where} moves; is it of this clip?")
    spread = float(np.median(np.abs(factors / factor - 1)))
    return Scale(
        factor,
        f"depth in metres: {factor:.4g} times the network's, by the vehicle's movement in {rows.where} "
        f"(--metric={way}; {len(chosen)} of {len(steps)} pairs of frames, {MOVING[way]}, "
        f"median deviation {100 * spread:.0f}%)",
    )


def _clip(way: str, frame_rate: float, sources: Sequence[Source]) -> Clip:
    """What is known of the frames. Raises UsageError if they are no clip."""
    first, videos = sources[0], sum(source.is_video for source in sources)
    if len(sources) > 1 and (videos or any(source.path.parent != first.path.parent for source in sources)):
        raise UsageError(
            f"--metric={way} is of one video or one folder of frames, and there are {len(sources)} files in all; "
            f"predict each clip with its own file"
        )
    if videos:
        times = frame_times(first.path)
        count = len(times)
        known = None if None in times else np.array(times, np.float64)
    else:
        count, known = len(sources), None
    if count < 2:
        raise UsageError(f"--metric={way}: {first.path} is a single frame; the movement is that between two")
    name = first.path.name if videos else first.path.parent.name
    return Clip(name, count, np.arange(count) / frame_rate if frame_rate else known)


def _said(sources: Sequence[Source], predictors: Sequence[Predictor], mover: Mover, chosen: np.ndarray) -> np.ndarray:
    """The length of the motion between frame i and i + 1 of each chosen i, as the network says."""
    size_of = next(one.size_of for one in reversed(predictors) if DISPARITY in one.gives)
    pairs, lengths = [], []

    def ask() -> None:
        images = [padded(np.stack(frames), BATCH) for frames in zip(*pairs, strict=True)]
        motion = np.asarray(jax.device_get(mover.call(*images)), np.float64)[: len(pairs)]
        lengths.append(np.linalg.norm(motion[:, :3, 3], axis=1))
        pairs.clear()

    for pair in _pairs(sources, set(chosen.tolist()), size_of):
        pairs.append(pair)
        if len(pairs) == BATCH:
            ask()
    if pairs:
        ask()
    return np.concatenate(lengths)


def _pairs(sources: Sequence[Source], chosen: set[int], size_of) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames i and i + 1 as the network is to see them, for each chosen i in order. Raises UsageError."""
    wanted = chosen | {number + 1 for number in chosen}
    if sources[0].is_video:
        frames = frames_at(sources[0].path, wanted)
    else:
        frames = ((number, read_image(sources[number].path)) for number in sorted(wanted))
    before: tuple[int, np.ndarray] | None = None
    for number, image in frames:
        seen = brought_to(image, size_of(image.shape[:2]))
        if before is not None and before[0] == number - 1 and number - 1 in chosen:
            if before[1].shape != seen.shape:
                raise UsageError(f"{sources[number].path} has another size than the frame before it; they are no clip")
            yield before[1], seen
        before = (number, seen)
