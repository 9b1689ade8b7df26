"""Strong augmentation of mixed images: colour jitter and blur, what the student must see through."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sde_seg_jax.bounds import Bounds, Probability
from sde_seg_jax.imaging.blur import blur_kernel_size, gaussian_blur
from sde_seg_jax.imaging.colour import jitter_additive, per_sample

STRONGEST = 0.5  # jitter: a hue of half a turn


@dataclasses.dataclass(frozen=True)
class Strong:
    """Options of the augmentation, as a configuration names them; those of `strong_augment`."""

    jitter_probability: Probability = 0.8
    jitter_strength: Annotated[float, Bounds(0, STRONGEST)] = 0.25
    blur_probability: Probability = 0.5
    per_batch: bool = False


def augmentation(options: Strong) -> Callable[[Float[Array, "B H W 3"], jax.Array], Float[Array, "B H W 3"]]:
    """(images, key) -> strongly augmented images."""

    def augment(images, key):
        return strong_augment(
            images,
            key,
            jitter_probability=options.jitter_probability,
            strength=options.jitter_strength,
            blur_probability=options.blur_probability,
            per_batch=options.per_batch,
        )

    return augment


def strong_augment(
    images: Float[Array, "B H W 3"],
    key: jax.Array,
    *,
    jitter_probability: float = Strong.jitter_probability,
    strength: float = Strong.jitter_strength,
    blur_probability: float = Strong.blur_probability,
    sigma: tuple[float, float] = (0.15, 1.15),
    per_batch: bool = Strong.per_batch,
) -> Float[Array, "B H W 3"]:
    """Jitters, then blurs images in [0,1], each with its probability; the result stays in [0,1].

    Jitter: brightness (additive), contrast (multiplicative) and HSV saturation by factors U(1-strength,
    1+strength), hue by U(-strength, strength) turns, in a random order. Blur: Gaussian, sigma U(*sigma)
    pixels, kernel about 10 % of each side, odd.
    Every image has its own draws. `per_batch` is the published draw: whether to jitter, in which order, whether
    to blur and how much are drawn once for all; jitter factors stay each image's own (decision 5 in
    docs/record/differences.md).
    Raises ValueError unless 0 <= strength <= STRONGEST and 0 < sigma[0] <= sigma[1].
    """
    if not 0 <= strength <= STRONGEST:
        raise ValueError(f"expected a jitter strength in [0, {STRONGEST}], got {strength}")
    if not 0 < sigma[0] <= sigma[1]:
        raise ValueError(f"expected blur sigmas 0 < low <= high, got {sigma}")
    jitter, order, factors, blur, width = jax.random.split(key, 5)
    batch, dtype = images.shape[0], images.dtype

    def draw(key, sample):
        keys = jnp.broadcast_to(key, (batch,)) if per_batch else jax.random.split(key, batch)
        return jax.vmap(sample)(keys)

    factor = strength * jax.random.uniform(factors, (4, batch), dtype, -1, 1)
    orders = draw(order, lambda k: jax.random.permutation(k, 4))
    jittered = jitter_additive(images, 1 + factor[0], 1 + factor[1], 1 + factor[2], factor[3], orders)
    applied = draw(jitter, lambda k: jax.random.bernoulli(k, jitter_probability))
    images = jnp.where(per_sample(applied, images), jittered, images)

    sizes = (blur_kernel_size(images.shape[1]), blur_kernel_size(images.shape[2]))
    blurred = gaussian_blur(images, draw(width, lambda k: jax.random.uniform(k, (), dtype, *sigma)), sizes)
    applied = draw(blur, lambda k: jax.random.bernoulli(k, blur_probability))
    return jnp.where(per_sample(applied, images), blurred, images)
