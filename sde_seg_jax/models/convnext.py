"""ConvNeXt (Liu et al. 2022): a pyramid of four maps from depthwise 7x7 convolutions, without batch norm."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.bounds import Count, Dropout
from sde_seg_jax.models.convnext_names import NAMES as NAMES
from sde_seg_jax.models.depthwise import depthwise
from sde_seg_jax.models.imagenet import normalised
from sde_seg_jax.models.init import ZEROS, Initial
from sde_seg_jax.models.precision import compute_dtype
from sde_seg_jax.models.remat import run
from sde_seg_jax.models.transformer import NORMAL, Dense, LayerNorm, Patches, dropped

WIDTH = 64  # `width` at which a network has its published channels
SCALE = Initial("constant", 1e-6)  # how the factors of a block's branch start
KERNEL, STEM = 7, 4  # pixels of a side


@dataclasses.dataclass(frozen=True)
class Size:
    """Blocks and channels of the four stages."""

    blocks: tuple[int, ...]
    channels: tuple[int, ...]


ENCODERS = {
    "convnext_tiny": Size((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnext_small": Size((3, 3, 27, 3), (96, 192, 384, 768)),
    "convnext_base": Size((3, 3, 27, 3), (128, 256, 512, 1024)),
    "convnext_large": Size((3, 3, 27, 3), (192, 384, 768, 1536)),
}


class Depthwise(nn.Module):
    """Each channel convolved with its own 7x7 kernel, zeros outside."""

    dtype: Any = None

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        return {"kernel": NORMAL, "bias": ZEROS}

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        kernel = self.param("kernel", NORMAL, (KERNEL, KERNEL, 1, x.shape[-1]))
        bias = self.param("bias", ZEROS, (x.shape[-1],))
        dtype = self.dtype or x.dtype
        return depthwise(x.astype(dtype), kernel.astype(dtype)) + bias.astype(dtype).reshape(1, 1, 1, -1)


class Block(nn.Module):
    """Depthwise convolution, norm, two dense layers with GELU, scaled and added; `dropped` where `drop` is true."""

    drop_path: float = 0.0
    dtype: Any = None
    expansion: int = 4

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the factor of each channel starts."""
        return {"gamma": SCALE}

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, drop: bool) -> Float[Array, "B H W C"]:
        channels = x.shape[-1]
        y = LayerNorm(name="norm")(Depthwise(self.dtype, name="dwconv")(x))
        y = Dense(self.expansion * channels, self.dtype, name="pwconv1")(y)
        y = Dense(channels, self.dtype, name="pwconv2")(jax.nn.gelu(y, approximate=False))
        gamma = self.param("gamma", SCALE, (channels,)).astype(y.dtype)
        return x.astype(y.dtype) + dropped(self, y * gamma.reshape(1, 1, 1, -1), self.drop_path if drop else 0)


class ConvNeXt(nn.Module):
    """Four maps of an image batch in [0,1], fine to coarse; see `channels` and `strides`.

    With `remat` a block's inside is computed again in the backward pass. In training with the random stream "dropout"
    block i of n is dropped at the rate `drop_path` i/(n-1).
    """

    size: Size
    width: int = WIDTH
    drop_path: float = 0.0
    num_images: int = 1
    dtype: Any = None
    remat: bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the four maps."""
        return tuple(max(1, channels * self.width // WIDTH) for channels in self.size.channels)

    @property
    def strides(self) -> tuple[int, ...]:
        """Image pixels per pixel of the four maps."""
        return tuple(STEM * 2**stage for stage in range(len(self.size.channels)))

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3n"], *, train: bool = False) -> tuple[Array, ...]:
        if image.shape[-1] != 3 * self.num_images:
            raise ValueError(f"image has {image.shape[-1]} channels, expected 3 x num_images = {3 * self.num_images}")
        x, maps, number, drop = normalised(image), [], 0, train and self.has_rng("dropout")
        for stage, (blocks, channels) in enumerate(zip(self.size.blocks, self.channels, strict=True)):
            if stage == 0:
                x = LayerNorm(name="stem_norm")(Patches(channels, STEM, self.dtype, name="stem_conv")(x))
            else:
                x = LayerNorm(name=f"down_{stage}_norm")(x)
                x = Patches(channels, 2, self.dtype, name=f"down_{stage}_conv")(x)
            for index in range(blocks):
                rate = self.drop_path * number / max(sum(self.size.blocks) - 1, 1)
                x = run(Block(rate, self.dtype, name=f"block_{stage}_{index}"), x, remat=self.remat, drop=drop)
                number += 1
            maps.append(x)
        return tuple(maps)


def make_encoder(
    name: str,
    *,
    width: int = WIDTH,
    num_images: int = 1,
    dtype: str | None = None,
    remat: bool = False,
    blocks: Sequence[Count] | None = None,
    drop_path: Dropout = 0.0,
) -> ConvNeXt:
    """One of `ENCODERS`; `width` is in 64ths of the published channels (64 as published, 8 for quick runs).

    `num_images` images come stacked on the channel axis. `blocks`: of the four stages, if not as published. Raises
    ValueError for another number of stages.
    """
    size = ENCODERS[name]
    if blocks is not None:
        if len(blocks) != len(size.blocks):
            raise ValueError(f"blocks of {name}: {tuple(blocks)} are {len(blocks)} stages, expected {len(size.blocks)}")
        size = dataclasses.replace(size, blocks=tuple(blocks))
    return ConvNeXt(size, width, drop_path, num_images, compute_dtype(dtype), remat)
