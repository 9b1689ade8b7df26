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
from sde_seg_jax.imaging.colour import grey, jitter_additive, jitter_relative, per_sample
from sde_seg_jax.lookup import choose

STRONGEST = 0.5  # jitter: a hue of half a turn
GRAY = 1  # folded into a key: which images lose their color


def _jittered(jitter: Callable) -> Callable:
    """(images, key, orders, strength, hue) -> images with factors of their own, by the arithmetic of `jitter`."""

    def apply(images, key, orders, strength, hue):
        drawn = jax.random.uniform(key, (4, images.shape[0]), images.dtype, -1, 1)
        factor = strength * drawn
        return jitter(images, 1 + factor[0], 1 + factor[1], 1 + factor[2], hue * drawn[3], orders)

    return apply


KINDS = {"additive": _jittered(jitter_additive), "torchvision": _jittered(jitter_relative)}


@dataclasses.dataclass(frozen=True)
class Strong:
    """Options of the augmentation, as a configuration names them; those of `strong_augment`."""

    jitter_kind: str = "additive"
    jitter_probability: Probability = 0.8
    jitter_strength: Annotated[float, Bounds(0, STRONGEST)] = 0.25
    jitter_hue: Annotated[float, Bounds(0, STRONGEST)] | None = None
    gray_probability: Probability = 0.0
    blur_probability: Probability = 0.5
    blur_sigma: tuple[float, float] = (0.15, 1.15)
    per_batch: bool = False

    def __post_init__(self):
        choose(KINDS, self.jitter_kind, "task.jitter_kind")
        if len(self.blur_sigma) != 2 or not 0 < self.blur_sigma[0] <= self.blur_sigma[1]:
            raise ValueError(
                f"task.blur_sigma={tuple(self.blur_sigma)}: expected (least, most) in pixels, 0 < least <= most"
            )


def augmentation(options: Strong) -> Callable[[Float[Array, "B H W 3"], jax.Array], Float[Array, "B H W 3"]]:
    """(images, key) -> strongly augmented images."""

    def augment(images, key):
        return strong_augment(
            images,
            key,
            jitter_probability=options.jitter_probability,
            strength=options.jitter_strength,
            blur_probability=options.blur_probability,
            sigma=tuple(options.blur_sigma),
            per_batch=options.per_batch,
            kind=options.jitter_kind,
            hue=options.jitter_hue,
            gray_probability=options.gray_probability,
        )

    return augment


def strong_augment(
    images: Float[Array, "B H W 3"],
    key: jax.Array,
    *,
    jitter_probability: float = Strong.jitter_probability,
    strength: float = Strong.jitter_strength,
    blur_probability: float = Strong.blur_probability,
    sigma: tuple[float, float] = Strong.blur_sigma,
    per_batch: bool = Strong.per_batch,
    kind: str = Strong.jitter_kind,
    hue: float | None = None,
    gray_probability: float = Strong.gray_probability,
) -> Float[Array, "B H W 3"]:
    """Jitters, then takes the color from, then blurs images in [0,1], each with its probability; they stay in [0,1].

    Jitter: brightness, contrast and saturation by factors U(1-strength, 1+strength), hue by U(-hue, hue) turns, in a
    random order. `kind` "additive", as published: brightness additive, contrast multiplicative, HSV saturation;
    "torchvision": as there. `hue` is `strength` unless it is given. Blur: Gaussian, sigma U(*sigma) pixels, kernel
    about 10 % of each side, odd.
    Every image has its own draws. `per_batch` is the published draw: whether to jitter, in which order, whether
    to blur and how much are drawn once for all; jitter factors stay each image's own (decision 5 in
    docs/record/differences.md).
    Raises ValueError unless 0 <= strength, hue <= STRONGEST and 0 < sigma[0] <= sigma[1].
    """
    hue = strength if hue is None else hue
    if not (0 <= strength <= STRONGEST and 0 <= hue <= STRONGEST):
        raise ValueError(f"expected a jitter strength and hue in [0, {STRONGEST}], got {strength} and {hue}")
    if not 0 < sigma[0] <= sigma[1]:
        raise ValueError(f"expected blur sigmas 0 < low <= high, got {sigma}")
    jitter, order, factors, blur, width = jax.random.split(key, 5)
    batch, dtype = images.shape[0], images.dtype

    def draw(key, sample):
        keys = jnp.broadcast_to(key, (batch,)) if per_batch else jax.random.split(key, batch)
        return jax.vmap(sample)(keys)

    def some(key, probability):
        return per_sample(draw(key, lambda k: jax.random.bernoulli(k, probability)), images)

    orders = draw(order, lambda k: jax.random.permutation(k, 4))
    jittered = choose(KINDS, kind, "task.jitter_kind")(images, factors, orders, strength, hue)
    images = jnp.where(some(jitter, jitter_probability), jittered, images)
    if gray_probability:
        colorless = jnp.broadcast_to(grey(images), images.shape)
        images = jnp.where(some(jax.random.fold_in(key, GRAY), gray_probability), colorless, images)

    sizes = (blur_kernel_size(images.shape[1]), blur_kernel_size(images.shape[2]))
    blurred = gaussian_blur(images, draw(width, lambda k: jax.random.uniform(k, (), dtype, *sigma)), sizes)
    return jnp.where(some(blur, blur_probability), blurred, images)
