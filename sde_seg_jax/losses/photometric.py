"""Photometric reprojection: depth and motion are right when the neighbours, warped, look like the target.

Godard et al., Digging Into Self-Supervised Monocular Depth Estimation (2019); METHOD 1 in
docs/reference/method.md. All scales are judged at full resolution.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from sde_seg_jax.geometry import camera
from sde_seg_jax.geometry.depth import DepthRange, disparity_to_depth
from sde_seg_jax.geometry.warp import sample_planes, source_pixels
from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.losses.absolute import absolute
from sde_seg_jax.losses.ssim import ssim_error
from sde_seg_jax.types import View

TIE_BREAK = 1e-5  # as published: far below an error that is seen, far above rounding


def photometric_error(a: Float[Array, "*B H W 3"], b: Float[Array, "*B H W 3"]) -> Float[Array, "*B H W 1"]:
    """0.85 mean_c SSIM'(a, b) + 0.15 mean_c |a - b|, per pixel, in [0,1]; leading axes of 1 broadcast."""
    return 0.85 * _mean_of_channels(ssim_error(a, b)) + 0.15 * absolute_error(a, b)


def absolute_error(a: Float[Array, "*B H W 3"], b: Float[Array, "*B H W 3"]) -> Float[Array, "*B H W 1"]:
    """mean_c |a - b| per pixel: the variant without structural similarity."""
    return _mean_of_channels(absolute(a - b))


def minimum_over_frames(errors: Float[Array, "B N S H W 1"]) -> Float[Array, "B N H W 1"]:
    """The least error over the source frames: a pixel hidden in one frame is judged by the other."""
    return _first_minimum([errors[:, :, s] for s in range(errors.shape[2])])


def mean_over_frames(errors: Float[Array, "B N S H W 1"]) -> Float[Array, "B N H W 1"]:
    """The mean over the source frames."""
    return errors.mean(2)


def warp_sources(
    view: View, min_depth: float = DepthRange.min_depth, max_depth: float = DepthRange.max_depth
) -> Float[Array, "B S N H W 3"]:
    """Every source frame S warped into the target through the disparity of every scale N, at full size."""
    size = view.image.shape[1:3]
    full = jnp.stack([resize_bilinear(d, size)[..., 0] for d in view.outputs.disparity], axis=1)
    x, y = source_pixels(
        disparity_to_depth(full, min_depth, max_depth),
        camera.matrix(view.intrinsics),
        camera.inverse_matrix(view.intrinsics),
        view.source_from_target,
    )
    return jnp.moveaxis(sample_planes(view.sources, x, y), 2, -1)


def photometric_maps(
    view: View,
    rng: jax.Array,
    *,
    min_depth: float = DepthRange.min_depth,
    max_depth: float = DepthRange.max_depth,
    error=photometric_error,
    reduce=minimum_over_frames,
    auto_mask: bool = True,
    tie_break: float = TIE_BREAK,
) -> tuple[Float[Array, "B N H W 1"], Bool[Array, "B N H W 1"]]:
    """(error of every scale N, where the warped frames count) per pixel.

    With auto-masking a pixel counts only where some warped frame explains it better than every unwarped
    frame: that leaves out what moves along with the camera, and a standing camera. Elsewhere the map holds
    the unwarped error, which has no gradient. The unwarped errors get Gaussian noise of amplitude
    `tie_break`, drawn anew for each scale, so that exact ties are decided by chance (Q4 in docs/record/differences.md).
    """
    target = view.image[:, None, None]
    reprojected = reduce(jnp.swapaxes(error(target, warp_sources(view, min_depth, max_depth)), 1, 2))
    if not auto_mask:
        return reprojected, jnp.ones(reprojected.shape, bool)
    standing = error(target, view.sources[:, None])
    if tie_break:
        shape = (standing.shape[0], len(view.outputs.disparity), *standing.shape[2:])
        # drawn in two axes: the same numbers as in five, from a tenth of the machine code on a CPU
        noise = jax.random.normal(rng, (shape[0], math.prod(shape[1:])), standing.dtype)
        standing = standing + tie_break * noise.reshape(shape)
    standing = reduce(standing)
    better = reprojected < standing
    return jnp.where(better, reprojected, standing), better


def term(view: View, rng: jax.Array, **options) -> Float[Array, ""]:
    """Mean over scales and pixels of `photometric_maps(view, rng, **options)`; see there for the options.

    Reads image, sources, source_from_target, intrinsics, outputs.disparity.
    """
    maps, _ = photometric_maps(view, rng, **options)
    return maps.mean()


def photometric_details(
    view: View, rng: jax.Array, **options
) -> tuple[Float[Array, "B S H W 3"], Float[Array, "B H W 1"]]:
    """For pictures, at the finest scale: the warped frames; 1 where the warp counts, 0 where auto-masked."""
    depths = {name: options[name] for name in ("min_depth", "max_depth") if name in options}
    finest = view.replace(outputs=view.outputs.replace(disparity=view.outputs.disparity[:1]))
    _, counts = photometric_maps(finest, rng, **options)
    return warp_sources(finest, **depths)[:, :, 0], counts[:, 0].astype(view.image.dtype)


# What a configuration can name.
ERRORS = {"ssim_l1": photometric_error, "l1": absolute_error}
REDUCTIONS = {"minimum": minimum_over_frames, "average": mean_over_frames}


def _mean_of_channels(x):
    # Not jnp.mean: XLA:CPU takes several times as long for a reduction of three numbers as for two additions.
    return sum(jnp.split(x, x.shape[-1], axis=-1)) / x.shape[-1]


def _first_minimum(candidates):
    # Unlike jnp.min, ties pass the gradient to one candidate, the first, not shares to several.
    best = candidates[0]
    for candidate in candidates[1:]:
        best = jnp.where(candidate < best, candidate, best)
    return best
