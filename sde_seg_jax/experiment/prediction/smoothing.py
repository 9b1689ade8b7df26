"""Classes of a video made steadier, frame by frame: what was said before is moved to where it is seen now.

The smoothed probabilities of the frame before are warped into the present one by the network's own depth and motion, as
the depth loss warps images, and blended in where the two frames show the same. Flicker is what changes after warping.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sde_seg_jax.evaluation.segmentation import confusion_matrix, scores
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.ahead import Frame
from sde_seg_jax.experiment.prediction.asking import DISPARITY, PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.model import brought_to
from sde_seg_jax.experiment.prediction.motion import Mover
from sde_seg_jax.geometry import camera
from sde_seg_jax.geometry.depth import DepthRange, disparity_to_depth
from sde_seg_jax.geometry.warp import back_project, project, sample_bilinear
from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.losses.photometric import photometric_error
from sde_seg_jax.types import Intrinsics

# Photometric error below which two frames show the same. Of rendered streets at 64x128 that a trained network warped
# three quarters of the pixels lie below, of frames that were not warped fewer than half.
AGREES = 0.15
CameraOf = Callable[[tuple[int, int], str], tuple[float, float, float, float]]  # as `metric.CameraOf`


class Where(NamedTuple):
    """For each pixel now: its place (x, y) in the frame before [1,h,w,2], and whether that is in the image [1,h,w]."""

    xy: Float[Array, "1 h w 2"]
    seen: Bool[Array, "1 h w"]


class Kept(NamedTuple):
    """Of the frame before: image in [0,1], smoothed probabilities, and classes without and with smoothing."""

    image: Float[Array, "1 h w 3"]
    probabilities: Float[Array, "1 h w C"]
    raw: Int[Array, "1 h w"]
    smoothed: Int[Array, "1 h w"]


def weight_of(text: str) -> float:
    """The weight of --smooth=TEXT. Raises UsageError."""
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < 1:
        raise UsageError(f"--smooth={text}: expected a weight of the past from 0 (only measure flicker) to below 1")
    return weight


@dataclasses.dataclass
class Smoother:
    """Takes the frames of one video after the other, each in order.

    Attributes:
      weight: of what was said before, in [0,1).
      predictors: which size the one of depth sees, and what its disparities mean.
      mover: the motion between frames; None: the camera stands still.
      camera: of the images; not asked where the camera stands still.
    """

    weight: float
    predictors: Sequence[Predictor]
    mover: Mover | None = None
    camera: CameraOf | None = None
    _before: tuple[Frame, Kept] | None = None
    _counts: np.ndarray = dataclasses.field(default_factory=lambda: np.int64(0))  # [2,C,C]: without, with smoothing

    def take(self, frame: Frame, maps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The maps of the next frame with smoothed probabilities; those of a photo, or with weight 0, as they are."""
        if not frame.source.is_video:
            return maps
        probabilities = maps[PROBABILITIES]
        size = probabilities.shape[:2]
        image = jnp.asarray(brought_to(frame.image, size)[None] / np.float32(255))
        if self._before is None:
            classes = jnp.argmax(probabilities[None], axis=-1)
            self._before = (frame, Kept(image, jnp.asarray(probabilities[None]), classes, classes))
            return maps
        before, kept = self._before
        kept, counts = _step(kept, image, probabilities[None], self._where(before, frame, maps, size), self.weight)
        self._before, self._counts = (frame, kept), self._counts + np.asarray(counts, np.int64)
        return {**maps, PROBABILITIES: np.asarray(kept.probabilities[0])} if self.weight else maps

    def ended(self) -> dict[str, float]:
        """Ends a video. How steady it was: "flicker", "consistency", and "..._smoothed" of each; {} of one frame.

        flicker: the share of pixels whose class differs from that of the warped frame before. consistency: temporal
        consistency of Liu et al., Efficient Semantic Video Segmentation with Per-frame Inference (ECCV 2020), the mean
        IoU with the warped prediction before; there optical flow warps it, here depth and motion. Over all frames.
        """
        counts, self._before, self._counts = self._counts, None, np.int64(0)
        if not counts.any():
            return {}
        found = [scores(of_all) for of_all in counts]
        names = ("", "_smoothed") if self.weight else ("",)
        flickers = {f"flicker{name}": 1 - one["pixel_accuracy"] for name, one in zip(names, found, strict=False)}
        return flickers | {f"consistency{name}": one["mean_iou"] for name, one in zip(names, found, strict=False)}

    def _where(self, before: Frame, frame: Frame, maps: dict[str, np.ndarray], size: tuple[int, int]) -> Where:
        if self.mover is None:
            return standing(size)
        place, depths = next((i, p.depths) for i, p in enumerate(self.predictors) if DISPARITY in p.gives)
        earlier, later = (one.seen[place][None] for one in (before, frame))
        shape = frame.image.shape[:2]
        assert self.camera is not None  # with a mover there is one
        values = np.array(self.camera(shape, str(frame.source.path)), np.float32)
        intrinsics = camera.resize(Intrinsics(*values[:, None]), shape, size)
        matrices = (np.float32(f(intrinsics)) for f in (camera.matrix, camera.inverse_matrix))
        motion = jnp.asarray(self.mover.call(earlier, later), jnp.float32)
        return moved(maps[DISPARITY][None, ..., None], *matrices, motion, size, depths)


def told(name: str, found: dict[str, float]) -> str:
    """What `Smoother.ended` found, for a person."""
    line = f"{name}: flicker {found['flicker']:.2%} of the pixels, temporal consistency {found['consistency']:.2%}"
    if "flicker_smoothed" not in found:
        return line
    return f"{line}; smoothed {found['flicker_smoothed']:.2%} and {found['consistency_smoothed']:.2%}"


def standing(size: tuple[int, int]) -> Where:
    """Where pixels were in the frame before of a camera that stands still: where they are."""
    rows, columns = jnp.meshgrid(*(jnp.arange(side, dtype=jnp.float32) for side in size), indexing="ij")
    return Where(jnp.stack([columns, rows], axis=-1)[None], jnp.ones((1, *size), bool))


@functools.partial(jax.jit, static_argnames=("size", "depths"))
def moved(
    disparity: Float[Array, "1 a b 1"],
    k: Float[Array, "1 3 3"],
    k_inverse: Float[Array, "1 3 3"],
    earlier_from_later: Float[Array, "1 4 4"],
    size: tuple[int, int],
    depths: DepthRange,
) -> Where:
    """Where pixels were in the frame before, by the depth of the present one, as the depth loss has it."""
    at_size = resize_bilinear(disparity, size)
    points = back_project(disparity_to_depth(at_size, depths.min_depth, depths.max_depth), k_inverse)
    xy = project(points, k, earlier_from_later)
    ahead = jnp.einsum("bhwi,bi->bhw", points, earlier_from_later[:, 2, :3], precision="highest")
    inside = (xy >= 0).all(-1) & (xy[..., 0] <= size[1] - 1) & (xy[..., 1] <= size[0] - 1)
    return Where(xy, inside & (ahead + earlier_from_later[:, 2, 3, None, None] > 0))


@jax.jit
def blended(
    probabilities: Float[Array, "1 h w C"],
    image: Float[Array, "1 h w 3"],
    before: Float[Array, "1 h w C"],
    image_before: Float[Array, "1 h w 3"],
    where: Where,
    weight: float,
) -> Float[Array, "1 h w C"]:
    """(1 - weight) now + weight before, warped, where both frames show the same; elsewhere the present ones alone."""
    error = photometric_error(image, sample_bilinear(image_before, where.xy))[..., 0]
    share = jnp.where(where.seen & (error < AGREES), weight, 0)[..., None].astype(probabilities.dtype)
    return (1 - share) * probabilities + share * sample_bilinear(before, where.xy).astype(probabilities.dtype)


@jax.jit
def _step(kept: Kept, image, probabilities, where: Where, weight: float) -> tuple[Kept, Int[Array, "2 C C"]]:
    """What is kept of the present frame, and how its classes agree with the warped ones before: raw, smoothed."""
    smoothed = blended(probabilities, image, kept.probabilities, kept.image, where, weight)
    now = Kept(image, smoothed, jnp.argmax(probabilities, axis=-1), jnp.argmax(smoothed, axis=-1))
    count = probabilities.shape[-1]
    pairs = ((kept.raw, now.raw), (kept.smoothed, now.smoothed))
    return now, jnp.stack([confusion_matrix(warped_classes(old, where), new, count) for old, new in pairs])


def warped_classes(classes: Int[Array, "1 h w"], where: Where) -> Int[Array, "1 h w"]:
    """Class ids of the frame before at the nearest pixels; -1 where that did not see them."""
    height, width = classes.shape[1:]
    column, row = jnp.unstack(jnp.round(jnp.where(where.seen[..., None], where.xy, 0)).astype(jnp.int32), axis=-1)
    found = classes[0][jnp.clip(row[0], 0, height - 1), jnp.clip(column[0], 0, width - 1)][None]
    return jnp.where(where.seen, found, -1)
