"""Colour augmentation on RGB images in [0,1]; one factor per sample, shared by all of the sample's frames.

Two arithmetics live here because the published system uses both: torchvision's (relative brightness, contrast
about the mean) for depth training, kornia 0.4's (additive brightness, contrast about black) for strong
augmentation.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

GREY = (0.2989, 0.587, 0.114)  # ITU-R 601 luma, as torchvision rounds it
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # the numbers in an order


def jitter_torchvision(
    images: Float[Array, "B *S H W 3"],
    key: jax.Array,
    *,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
    hue: float = 0.1,
    probability: float = 0.5,
) -> Float[Array, "B *S H W 3"]:
    """torchvision's ColorJitter with one draw (whether, factors, order) per sample, shared by its frames.

    Factors are uniform in [max(0, 1-a), 1+a], the hue shift in [-hue, hue] turns, the order of the four a
    random permutation. Differs from torchvision on PIL images by their rounding to 8 bit after each
    operation.
    """
    batch, dtype = images.shape[0], images.dtype
    whether, factors, order = jax.random.split(key, 3)
    bounds = [(max(0.0, 1 - a), 1 + a) for a in (brightness, contrast, saturation)] + [(-hue, hue)]
    drawn = [
        jax.random.uniform(k, (batch,), dtype, low, high)
        for k, (low, high) in zip(jax.random.split(factors, 4), bounds, strict=True)
    ]
    orders = jax.vmap(lambda k: jax.random.permutation(k, 4))(jax.random.split(order, batch))
    jittered = jitter_relative(images, *drawn, orders)
    applied = jax.random.uniform(whether, (batch,)) < probability
    return jnp.where(per_sample(applied, images), jittered, images)


def jitter_relative(
    images: Float[Array, "B *S H W 3"],
    brightness: Float[Array, "B"],
    contrast: Float[Array, "B"],
    saturation: Float[Array, "B"],
    hue: Float[Array, "B"],
    order: Int[Array, "B 4"],
) -> Float[Array, "B *S H W 3"]:
    """torchvision's ColorJitter with given factors and orders, as `jitter_additive` has them."""
    operations = (scale_brightness, contrast_about_mean, blend_with_grey, shift_hue)
    return _in_order(images, operations, (brightness, contrast, saturation, hue), order)


def jitter_additive(
    images: Float[Array, "B *S H W 3"],
    brightness: Float[Array, "B"],
    contrast: Float[Array, "B"],
    saturation: Float[Array, "B"],
    hue: Float[Array, "B"],
    order: Int[Array, "B 4"],
) -> Float[Array, "B *S H W 3"]:
    """kornia 0.4's ColorJitter with given factors: the strong augmentation's arithmetic.

    Factors are 1 for no change (hue: 0, in turns); row b of `order` lists the operations (0 brightness, 1
    contrast, 2 saturation, 3 hue) for sample b, first to last. Without kornia's in-place fault, which changes
    red where a hue or saturation step yields red exactly 1 in the first sextant of the hue circle.
    """
    operations = (
        add_brightness,
        scale_brightness,
        scale_saturation,
        shift_hue,
    )  # its contrast is a plain product
    return _in_order(images, operations, (brightness, contrast, saturation, hue), order)


def add_brightness(images: Array, factor: Float[Array, "B"]) -> Array:
    """x + factor - 1, clipped to [0,1]."""
    return jnp.clip(images + (per_sample(factor, images) - 1), 0, 1)


def scale_brightness(images: Array, factor: Float[Array, "B"]) -> Array:
    """x * factor, clipped to [0,1]: torchvision's brightness and kornia 0.4's contrast."""
    return jnp.clip(images * per_sample(factor, images), 0, 1)


def contrast_about_mean(images: Array, factor: Float[Array, "B"]) -> Array:
    """mean + factor * (x - mean), clipped to [0,1]; mean = that of each image's grey values."""
    mean = grey(images).mean(axis=(-3, -2, -1), keepdims=True)
    return jnp.clip(mean + per_sample(factor, images) * (images - mean), 0, 1)


def blend_with_grey(images: Array, factor: Float[Array, "B"]) -> Array:
    """grey + factor * (x - grey), clipped to [0,1]: torchvision's saturation."""
    colourless = grey(images)
    return jnp.clip(colourless + per_sample(factor, images) * (images - colourless), 0, 1)


def scale_saturation(images: Array, factor: Float[Array, "B"]) -> Array:
    """The HSV saturation times factor, clipped to [0,1]: kornia's saturation."""
    hsv = rgb_to_hsv(images)
    saturation = jnp.clip(hsv[..., 1:2] * per_sample(factor, images), 0, 1)
    return hsv_to_rgb(jnp.concatenate([hsv[..., :1], saturation, hsv[..., 2:]], axis=-1))


def shift_hue(images: Array, turns: Float[Array, "B"]) -> Array:
    """The HSV hue plus `turns` of the colour circle."""
    hsv = rgb_to_hsv(images)
    return hsv_to_rgb(jnp.concatenate([hsv[..., :1] + per_sample(turns, images), hsv[..., 1:]], axis=-1))


def grey(rgb: Float[Array, "... 3"]) -> Float[Array, "... 1"]:
    """Luma in [0,1], channel axis kept."""
    red, green, blue = jnp.split(rgb, 3, axis=-1)
    return GREY[0] * red + GREY[1] * green + GREY[2] * blue


def rgb_to_hsv(rgb: Float[Array, "... 3"]) -> Float[Array, "... 3"]:
    """Hue in turns [0,1), saturation and value in [0,1]; hue 0 for greys. Gradients are finite everywhere."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    value = jnp.maximum(jnp.maximum(red, green), blue)
    chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
    divisor = jnp.where(chroma > 0, chroma, 1)
    sextant = jnp.where(
        value == red,
        (green - blue) / divisor,
        jnp.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    hue = jnp.where(chroma > 0, _turned(sextant / 6), 0)
    saturation = chroma / jnp.where(value > 0, value, 1)
    return jnp.stack([hue, saturation, value], axis=-1)


def hsv_to_rgb(hsv: Float[Array, "... 3"]) -> Float[Array, "... 3"]:
    """The inverse of `rgb_to_hsv`; any real hue (in turns).

    channel = v - v s clip(min(k, 4-k), 0, 1),  k = (n + 6 h) mod 6,  n = 5, 3, 1 for red, green, blue.
    """
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]

    def channel(n):
        k = 6 * _turned(n / 6 + hue)
        return value - value * saturation * jnp.clip(jnp.minimum(k, 4 - k), 0, 1)

    return jnp.stack([channel(5), channel(3), channel(1)], axis=-1)


def _turned(turns):
    # Not jnp.mod, which calls fmod pixel by pixel on a CPU.
    return turns - jnp.floor(turns)


def per_sample(factor: Array, images: Array) -> Array:
    """[B] shaped so that it applies to [B,...] sample by sample."""
    return factor.reshape(factor.shape[0], *[1] * (images.ndim - 1))


def _in_order(images, operations, factors, order):
    # All four are computed at each step and one is kept: no branches, so samples with different orders stay
    # batched.
    for step in range(len(operations)):
        chosen = per_sample(order[:, step], images)
        results = [operation(images, factor) for operation, factor in zip(operations, factors, strict=True)]
        images = jnp.select([chosen == i for i in range(len(results))], results)
    return images
