"""Kernels on images for `kernels.py`: view synthesis, photometric error, mixing, augmentation. All float32."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import kernel_forms as forms
import numpy as np
from kernel_layers import CLASSES
from kernel_spec import OURS, Input, Kernel, Size, differentiable, text, uniform

from sde_seg_jax.imaging import blur, colour
from sde_seg_jax.losses.photometric import photometric_error
from sde_seg_jax.losses.ssim import C2, ssim_error
from sde_seg_jax.mixing import masks
from sde_seg_jax.mixing.apply import next_in_batch, paste
from sde_seg_jax.mixing.strong import strong_augment

SCALES, FRAMES = 4, 2
# PyTorch's SSIM takes E[x^2] - E[x]^2, about 1/3 - 1/4 for uniform pixels, with roundings of E[x^2]; ours does not. In
# windows of small variance, by chance, these weigh up to 1 / (var + C2/2).
SSIM_TERMS = (1 / 3 / (0.005 + C2 / 2)) ** 2


def image(size: Size, *axes: int) -> Input:
    """Random frames [B,*axes,H,W,3] in [0,1]."""
    return Input((size.batch, *axes, *size.image, 3), draw=uniform, narrow=False)


def _grid(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Points as a warp has them: neighbors sample neighbors, some beyond the border, none within 0.1 of a pixel centre.

    There, where the gradient jumps, two ways to round could land on different sides.
    """
    batch, rows, width, _ = shape
    height = rows // SCALES
    shift = rng.integers(-3, 4, (2, batch, 1, 1))
    y, x = np.meshgrid(np.tile(np.arange(height), SCALES), np.arange(width), indexing="ij")
    points = [p + s + rng.uniform(0.1, 0.9, (batch, rows, width)) for p, s in zip((x, y), shift, strict=True)]
    grid = [2 * p / (n - 1) - 1 for p, n in zip(points, (width, height), strict=True)]
    return np.stack(grid, axis=-1).astype(np.float32)


def warps(size: Size) -> list[Kernel]:
    """Bilinear sampling of one image at the points of all scales, and its gradient to the points."""
    height, width = size.image
    inputs = [image(size), Input((size.batch, SCALES * height, width, 2), "plain", _grid, narrow=False)]
    others = {
        "packed corners": forms.sample_packed,
        "flat index": forms.sample_flat,
        "packed, flat": functools.partial(forms.sample_packed, flat=True),
    }
    ours = {OURS: forms.warp} | {name: functools.partial(forms.warp, sample=f) for name, f in others.items()}
    return [
        differentiable(
            f"warp/{name}", f"{text(*inputs[0].shape)} at {SCALES}x{height}x{width} points", ours,
            lambda peers: peers.grid_sample(), inputs, mode=mode, wrt=wrt,
            # A weight is what remains of a coordinate of so many pixels without its integer part.
            terms=max(height, width) ** 2,
        )
        for name, mode, wrt in (("forward", "forward", ()), ("points", "both", (1,)))
    ]  # fmt: skip


def ssim(size: Size) -> Kernel:
    """SSIM's error map and its gradient to one image."""
    inputs = [image(size), image(size)]
    return differentiable(
        "ssim", text(*inputs[0].shape), ssim_error, lambda peers: peers.ssim(), inputs, wrt=(0,), terms=SSIM_TERMS
    )


def photometric(size: Size) -> Kernel:
    """The error of all scales and frames against one target, and its gradient to the warped frames."""

    def errors(warped, target):
        return photometric_error(target[:, None, None], warped)

    inputs = [image(size, SCALES, FRAMES), image(size)]
    peer = lambda peers: peers.photometric_error()  # noqa: E731
    return differentiable("photometric_error", text(*inputs[0].shape), errors, peer, inputs, wrt=(0,), terms=SSIM_TERMS)


def _disparity(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """64 steps from 0.1 to 0.73 that all occur: normalised, none differ by about the margin of 0.03."""
    steps = rng.integers(0, 64, shape)
    steps[:, 0, :2, 0] = 0, 63
    return (0.1 + 0.01 * steps).astype(np.float32)


def depth_mix(size: Size) -> Kernel:
    """Normalises disparities, compares them, pastes images and probabilities onto the next of the batch."""

    def mix(disparity, *parts):
        disparity = masks.normalize_disparity(disparity)
        mask = masks.depth_mix_mask(disparity, next_in_batch(disparity))
        return paste(parts, next_in_batch(parts), mask)

    shape = (size.batch, *size.image)
    inputs = (
        Input((*shape, 1), draw=_disparity, narrow=False),
        image(size),
        Input((*shape, CLASSES), draw=uniform, narrow=False),
    )
    peer = lambda peers: peers.depth_mix()  # noqa: E731
    return Kernel("depth_mix", f"{text(*shape)} x (1 + 3 + {CLASSES})", inputs, ("image", "image"), {OURS: mix}, peer)


def color_jitter(size: Size) -> Kernel:
    """torchvision's jitter of three frames a sample; compared with given factors, in one order."""
    factors = np.random.default_rng(0).uniform(0.8, 1.2, (4, size.batch)).astype(np.float32)
    factors[3] = (factors[3] - 1) / 2  # turns

    def by_factors(images):
        steps = (colour.scale_brightness, colour.contrast_about_mean, colour.blend_with_grey, colour.shift_hue)
        for step, factor in zip(steps, factors, strict=True):
            images = step(images, jnp.asarray(factor))
        return images

    frames = image(size, 1 + FRAMES)
    return Kernel(
        "color_jitter", text(*frames.shape), (frames,), ("image",),
        {OURS: lambda images: colour.jitter_torchvision(images, jax.random.key(0))}, lambda peers: peers.color_jitter(),
        checked=(by_factors, lambda peers: peers.color_jitter_by(factors)), compiles=False,
    )  # fmt: skip


def strong(size: Size) -> Kernel:
    """Jitter and blur of mixed images; compared with given draws."""
    rng = np.random.default_rng(0)
    factors = rng.uniform(0.75, 1.25, (4, size.batch)).astype(np.float32)
    factors[3] -= 1  # turns
    orders = rng.permuted(np.tile(np.arange(4), (size.batch, 1)), axis=1)
    sigma = rng.uniform(0.15, 1.15, size.batch).astype(np.float32)
    sides = tuple(blur.blur_kernel_size(side) for side in size.image)

    def by_draws(images):
        images = colour.jitter_additive(images, *map(jnp.asarray, factors), jnp.asarray(orders))
        return blur.gaussian_blur(images, jnp.asarray(sigma), sides)

    frames = image(size)
    return Kernel(
        "strong_augment", text(*frames.shape), (frames,), ("image",),
        {OURS: lambda images: strong_augment(images, jax.random.key(0))}, lambda peers: peers.strong_augment(),
        checked=(by_draws, lambda peers: peers.strong_augment_by(factors, orders, sigma)), compiles=False,
    )  # fmt: skip
