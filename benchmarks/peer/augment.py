"""Colour and blur augmentation in PyTorch: images [B,3,H,W], or [B,S,3,H,W] for frames that share a draw, in [0,1].

color_jitter(images, *, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1, probability=0.5) -> images
strong_augment(images, *, jitter_probability=0.8, strength=0.25, blur_probability=0.5, sigma=(0.15, 1.15)) -> images
jitter_torchvision(images, factors, orders, applied=None) -> images    factors [4,B], orders [B,4], applied bool [B]
jitter_additive(images, factors, orders, applied=None) -> images       the same, in the strong one's arithmetic
gaussian_blur(images, sigma, kernel_size) -> images                    [B,C,H,W], [B], (rows, columns)

The first two draw for each sample and call the others with what they drew. Draws are made on the host, so that a
sample that is left as it is costs nothing and the loop over samples never waits for the device; because of that loop,
keep these out of torch.compile.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def color_jitter(
    images: Tensor,
    *,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
    hue: float = 0.1,
    probability: float = 0.5,
) -> Tensor:
    """torchvision's ColorJitter with one draw (whether, factors, order) per sample, shared by its frames."""
    batch = len(images)
    bounds = [(max(0.0, 1 - a), 1 + a) for a in (brightness, contrast, saturation)] + [(-hue, hue)]
    factors = torch.stack([torch.empty(batch).uniform_(low, high) for low, high in bounds])
    return jitter_torchvision(images, factors, _orders(batch), torch.rand(batch) < probability)


def strong_augment(
    images: Tensor,
    *,
    jitter_probability: float = 0.8,
    strength: float = 0.25,
    blur_probability: float = 0.5,
    sigma: tuple[float, float] = (0.15, 1.15),
) -> Tensor:
    """Jitters, then blurs each image of [B,3,H,W] with its own draws, each with its probability."""
    batch = len(images)
    factors = torch.empty(4, batch).uniform_(-strength, strength) + torch.tensor([1.0, 1.0, 1.0, 0.0])[:, None]
    images = jitter_additive(images, factors, _orders(batch), torch.rand(batch) < jitter_probability)
    chosen = (torch.rand(batch) < blur_probability).nonzero()[:, 0].tolist()
    if not chosen:
        return images
    sizes = (blur_kernel_size(images.shape[2]), blur_kernel_size(images.shape[3]))
    images[chosen] = gaussian_blur(images[chosen], torch.empty(len(chosen)).uniform_(*sigma), sizes)
    return images


def jitter_torchvision(images: Tensor, factors: Tensor, orders: Tensor, applied: Tensor | None = None) -> Tensor:
    """Brightness, contrast, saturation and hue by given factors: brightness and contrast relative, as torchvision's.

    Row b of `orders` lists the operations (0 brightness, 1 contrast, 2 saturation, 3 hue) for sample b, first to last.
    """
    operations = (scale_brightness, contrast_about_mean, blend_with_grey, shift_hue)
    return _jitter(images, operations, factors, orders, applied)


def jitter_additive(images: Tensor, factors: Tensor, orders: Tensor, applied: Tensor | None = None) -> Tensor:
    """As `jitter_torchvision` with added brightness, a plain product as contrast and the saturation of HSV."""
    return _jitter(images, (add_brightness, scale_brightness, scale_saturation, shift_hue), factors, orders, applied)


def gaussian_blur(images: Tensor, sigma: Tensor, kernel_size: tuple[int, int]) -> Tensor:
    """Gaussian blur, one sigma an image, borders mirrored: two grouped convolutions, one group a channel."""
    batch, channels, height, width = images.shape
    rows, columns = (_gaussian(size, sigma).to(images).repeat_interleave(channels, 0) for size in kernel_size)
    padding = (columns.shape[1] // 2,) * 2 + (rows.shape[1] // 2,) * 2
    x = F.pad(images.reshape(1, batch * channels, height, width), padding, mode="reflect")
    x = F.conv2d(x, rows[:, None, :, None], groups=batch * channels)
    x = F.conv2d(x, columns[:, None, None, :], groups=batch * channels)
    return x.view(images.shape)


def blur_kernel_size(length: int, fraction: float = 0.1) -> int:
    """The largest odd number not above ceil(fraction * length)."""
    size = math.ceil(fraction * length)
    return max(1, size - 1 + size % 2)


def add_brightness(images: Tensor, factor: float) -> Tensor:
    """x + factor - 1, clipped to [0,1]; images [...,3,H,W] here and below."""
    return (images + (factor - 1)).clamp(0, 1)


def scale_brightness(images: Tensor, factor: float) -> Tensor:
    """x * factor, clipped to [0,1]."""
    return (images * factor).clamp(0, 1)


def contrast_about_mean(images: Tensor, factor: float) -> Tensor:
    """mean + factor * (x - mean), clipped to [0,1]; mean = that of each image's grey values."""
    mean = grey(images).mean((-3, -2, -1), keepdim=True)
    return torch.lerp(mean, images, factor).clamp(0, 1)


def blend_with_grey(images: Tensor, factor: float) -> Tensor:
    """grey + factor * (x - grey), clipped to [0,1]."""
    return torch.lerp(grey(images), images, factor).clamp(0, 1)


def scale_saturation(images: Tensor, factor: float) -> Tensor:
    """The HSV saturation times factor, clipped to [0,1]."""
    hue, saturation, value = rgb_to_hsv(images)
    return hsv_to_rgb(hue, (saturation * factor).clamp(0, 1), value)


def shift_hue(images: Tensor, turns: float) -> Tensor:
    """The HSV hue plus `turns` of the colour circle."""
    hue, saturation, value = rgb_to_hsv(images)
    return hsv_to_rgb(hue + turns, saturation, value)


def grey(rgb: Tensor) -> Tensor:
    """Luma, channel axis kept."""
    red, green, blue = rgb.split(1, dim=-3)
    return 0.2989 * red + 0.587 * green + 0.114 * blue


def rgb_to_hsv(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in turns [0,1) (0 for greys), saturation and value in [0,1], each [...,H,W]."""
    red, green, blue = rgb.unbind(-3)
    value, low = rgb.amax(-3), rgb.amin(-3)
    chroma = value - low
    divisor = torch.where(chroma > 0, chroma, 1.0)
    sextant = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    hue = (sextant / 6) % 1 * (chroma > 0)
    return hue, chroma / torch.where(value > 0, value, 1.0), value


def hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """channel = v - v s clip(min(k, 4-k), 0, 1),  k = (n + 6 h) mod 6,  n = 5, 3, 1 for red, green, blue."""
    channels = []
    for n in (5, 3, 1):
        k = (n + 6 * hue) % 6
        channels.append(value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=-3)


def _jitter(images, operations, factors, orders, applied):
    applied = [True] * len(images) if applied is None else applied.tolist()
    jittered = []
    for sample, values, order, wanted in zip(images, factors.T.tolist(), orders.tolist(), applied, strict=True):
        for number in order if wanted else ():
            sample = operations[number](sample, values[number])
        jittered.append(sample)
    return torch.stack(jittered)


def _orders(batch: int) -> Tensor:
    return torch.rand(batch, 4).argsort(1)


def _gaussian(size: int, sigma: Tensor) -> Tensor:
    offset = torch.arange(size, dtype=sigma.dtype, device=sigma.device) - size // 2
    taps = torch.exp(-(offset**2) / (2 * sigma[:, None] ** 2))
    return taps / taps.sum(1, keepdim=True)
